"""Two databases: what only one of them can show, and how to take it away."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection

postgresql_only = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="a matter of PostgreSQL"
)


def rows_of(statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """What raw SQL answers, whatever Django thinks of it."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())


def url() -> str:
    """The DATABASE_URL of the database under test, for processes that share it."""
    config = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{config['NAME']}"
    user, password = quote(config["USER"]), quote(config["PASSWORD"])
    host, port = config["HOST"] or "localhost", config["PORT"] or 5432
    return f"postgres://{user}:{password}@{host}:{port}/{config['NAME']}"


@contextmanager
def away() -> Iterator[None]:
    """No new connection can be made: the settings point to a place where nothing is.

    The connection of this thread is open and goes on.
    """
    connection.ensure_connection()
    config = connection.settings_dict
    before = {name: config[name] for name in ("NAME", "PORT", "OPTIONS")}
    if connection.vendor == "sqlite":
        config["NAME"] = "/nonexistent/flo2.sqlite3"
    else:
        config["PORT"] = "1"
        config["OPTIONS"] = {**config["OPTIONS"], "pool": False, "connect_timeout": 2}
    try:
        yield
    finally:
        config.update(before)
