"""Model fields of the books."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import models

from billing import money

if TYPE_CHECKING:
    _Base = models.BigIntegerField[Decimal | None, Decimal | None]
else:
    _Base = models.BigIntegerField


class UsdField(_Base):
    """US dollars as `Decimal`, kept as an integer of 10⁻¹² USD: SQLite knows only floats."""

    def from_db_value(self, value: int | None, *_: Any) -> Decimal | None:
        return None if value is None else money.from_pico(value)

    def get_prep_value(self, value: Any) -> int | None:
        return money.to_pico(value) if isinstance(value, Decimal) else value

    def to_python(self, value: Any) -> Decimal | None:
        if value is None or isinstance(value, Decimal):
            return value
        return money.parse(str(value))
