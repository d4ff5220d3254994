"""What most tests of the books need; the mark of a module says which database there is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from accounts.models import Tenant
from billing.ledger import Ledger
from tests.factories.accounts import TenantFactory
from tests.factories.budgets import books_in


@pytest.fixture
def tenant() -> Tenant:
    return TenantFactory.create()


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Ledger]:
    """Books whose facts are shipped when the test says so."""
    with books_in(tmp_path) as its:
        yield its
