"""How long calls are kept: partitions by month on PostgreSQL, made ahead and dropped when too old.

Sums stay when calls go. A partition is dropped whole, which costs nothing; where rows lie in the
DEFAULT partition, or on SQLite, they are deleted by ranges of ids.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import connection
from django.db.models import Exists, OuterRef

from accounts import ids
from accounts.tenancy import EnableRowSecurity, system_scope
from billing import rollups
from billing.models import Attempt, Call, Correction, KeptCalls

AHEAD = 2  # months that have their partition before they begin
DELETED_AT_ONCE = 2000  # calls
LATE = timedelta(hours=1)  # a call's id may be so much older than the call
TABLES = (Call._meta.db_table, Attempt._meta.db_table)


def prepare(now: datetime) -> list[str]:
    """Make the partitions of the months to come; the names of those that were not there.

    The month that runs keeps to the partition it began in: there may be rows already.
    """
    if connection.vendor != "postgresql":
        return []
    made = []
    first = _next_month(now)
    for _ in range(AHEAD):
        after = _next_month(first)
        with system_scope():
            made += [name for table in TABLES if (name := _make(table, first, after))]
        first = after
    return made


def forget(now: datetime, *, keep_days: int) -> int:
    """Drop calls opened longer ago than this; how many rows or partitions went.

    Whole days only: a day is kept, or not. 0 days keeps all for ever.
    """
    if keep_days <= 0:
        return 0
    today = datetime(now.year, now.month, now.day, tzinfo=UTC)
    since = today - timedelta(days=keep_days)
    with system_scope():  # from now on nobody verifies or rebuilds what is about to go
        if since > rollups.kept_since():
            KeptCalls.objects.update_or_create(id=1, defaults={"since": since})
    rollups.add_up()  # nothing of theirs may wait to be summed
    gone = 0
    for name in list(_partitions_before(since)):
        with system_scope(), connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE {name}")
        gone += 1
    return gone + _delete_before(since)


def _make(table: str, first: datetime, after: datetime) -> str:
    """The partition of a table for a month; empty where it is there, or cannot be any more."""
    name = f"{table}_{first:%Y_%m}"
    column = "id" if table == Call._meta.db_table else "call_id"
    low, high = _bound(first), _bound(after)
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [name])
        if cursor.fetchone()[0]:
            return ""
        # A clock that ran ahead may have left rows of that month in the DEFAULT partition.
        cursor.execute(
            f"SELECT EXISTS (SELECT 1 FROM {table}_rest"  # noqa: S608
            f" WHERE {column} >= %s AND {column} < %s)",
            [low, high],
        )
        if cursor.fetchone()[0]:
            return ""
        cursor.execute(
            f"CREATE TABLE {name} PARTITION OF {table} FOR VALUES FROM ('{low}') TO ('{high}')"
        )
    with connection.schema_editor(atomic=False) as editor:
        EnableRowSecurity(name).database_forwards("billing", editor)
    return name


def _partitions_before(since: datetime) -> Iterator[str]:
    """Partitions of months that ended well before that moment."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " JOIN pg_class p ON p.oid = i.inhparent WHERE p.relname = ANY(%s) ORDER BY c.relname",
            [list(TABLES)],
        )
        names = [name for (name,) in cursor.fetchall()]
    for name in names:
        year, _, month = name.rpartition("_")[0][-4:], "_", name.rpartition("_")[2]
        if year.isdecimal() and month.isdecimal():
            first = datetime(int(year), int(month), 1, tzinfo=UTC)
            if _next_month(first) + LATE <= since:
                yield name


def _delete_before(since: datetime) -> int:
    """Delete the rest by ids, a little at a time."""
    bound = _bound(since)
    gone = 0
    while True:
        with system_scope():
            old = Call.objects.filter(id__lt=bound, created_at__lt=since).order_by("id")
            calls = list(old.values_list("id", flat=True)[:DELETED_AT_ONCE])
            if not calls:
                break
            Attempt.objects.filter(call_id__in=calls).delete()
            gone += Call.objects.filter(id__in=calls).delete()[0]
    with system_scope():
        kept = Call.objects.filter(id=OuterRef("call_id"))
        Correction.objects.filter(~Exists(kept), call_id__lt=bound).delete()
    return gone


def _bound(at: datetime) -> UUID:
    """The least id that can have been made from then on."""
    return ids.first_after(int(at.timestamp() * 1000))


def _next_month(at: datetime) -> datetime:
    first = datetime(at.year, at.month, 1, tzinfo=UTC)
    return (first + timedelta(days=32)).replace(day=1)
