"""Write many rows fast: COPY through a stage on PostgreSQL, executemany on SQLite.

COPY cannot write to a table under row-level security, hence the stage.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import connection

from billing.rows import Row


def insert(table: str, columns: Sequence[str], rows: Sequence[Row], *, conflict: str = "") -> int:
    """Insert the rows, but not those that conflict on the columns named; how many went in."""
    if not rows:
        return 0
    names = ", ".join(columns)
    rest = f" ON CONFLICT {conflict} DO NOTHING" if conflict else ""
    if connection.vendor == "postgresql":
        stage = _staged(table, columns, rows)
        statement = f"INSERT INTO {table} ({names}) SELECT {names} FROM {stage}{rest}"  # noqa: S608
        inserted = _execute(statement)
        _execute(f"TRUNCATE {stage}")
        return inserted
    places = ", ".join(["%s"] * len(columns))
    statement = f"INSERT INTO {table} ({names}) VALUES ({places}){rest}"  # noqa: S608
    return _execute_many(statement, rows)


def update(table: str, columns: Sequence[str], rows: Sequence[Row], *, where: str) -> None:
    """Set the columns of the rows whose id is the last value of each, where the rest holds."""
    if not rows:
        return
    if connection.vendor == "postgresql":
        stage = _staged(table, (*columns, "id"), rows)
        values = ", ".join(f"{name} = new.{name}" for name in columns)
        _execute(
            f"UPDATE {table} SET {values} FROM {stage} new"  # noqa: S608
            f" WHERE {table}.id = new.id AND {table}.{where}"
        )
        _execute(f"TRUNCATE {stage}")
    else:
        values = ", ".join(f"{name} = %s" for name in columns)
        _execute_many(f"UPDATE {table} SET {values} WHERE id = %s AND {where}", rows)  # noqa: S608


def hold(table: str) -> None:
    """Nobody else writes to the table until this transaction ends."""
    if connection.vendor == "postgresql":  # a transaction of SQLite has this lock anyway
        _execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")


def _staged(table: str, columns: Sequence[str], rows: Sequence[Row]) -> str:
    """The name of a temporary table that holds the rows until the transaction ends."""
    names = ", ".join(columns)
    stage = f"stage_{table}_{len(columns)}"
    # Django does not translate the errors of COPY by itself.
    with connection.wrap_database_errors, connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TEMP TABLE IF NOT EXISTS {stage} ON COMMIT DROP AS"  # noqa: S608
            f" SELECT {names} FROM {table} WITH NO DATA"
        )
        with cursor.copy(f"COPY {stage} ({names}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
    return stage


def _execute(statement: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return int(cursor.rowcount)


def _execute_many(statement: str, rows: Sequence[Row]) -> int:
    with connection.cursor() as cursor:
        cursor.executemany(statement, [_for_sqlite(row) for row in rows])
        return int(cursor.rowcount)


# SQLite has no type for these; this is how Django keeps them there. Times are in UTC.
_CONVERTERS: dict[type, Callable[[Any], Any]] = {
    UUID: lambda value: f"{value.int:032x}",
    datetime: lambda value: value.isoformat(" ").removesuffix("+00:00"),
    date: date.isoformat,
}


def _for_sqlite(row: Row) -> list[Any]:
    converter = _CONVERTERS.get
    return [
        value if (convert := converter(type(value))) is None else convert(value) for value in row
    ]
