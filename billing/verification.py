"""Whether the books agree with themselves, to the last pico-dollar.

Rows are held against each other (a call's cost is the sum over its attempts), against the roll-ups
with what waits to be folded into them, and against the budgets' counters. All of a tenant is read
in one snapshot, so a gateway that books meanwhile does not disturb.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Sum
from django.db.models.functions import TruncDate

from accounts import ids
from accounts.models import GatewayKey
from accounts.tenancy import system_scope
from billing import charges, deltas, money, periods, rollups, sums, windows
from billing.charges import Lineages
from billing.deltas import DELTA_COLUMNS, TAG_COLUMNS, Booked
from billing.models import (
    Budget,
    BudgetWindow,
    Call,
    Lease,
    SpendDay,
    SpendDelta,
    SpendHour,
    TagDay,
    TagDelta,
)
from billing.models.spend import DIMENSIONS, SUMS, TAG_DIMENSIONS, Summed
from billing.money import ZERO

_MONEY = frozenset({"cost", "saved", "estimated", "lost"})
Group = tuple[Any, ...]
Sums = dict[str, int]  # money in pico-dollars


class Difference(NamedTuple):
    """Two figures that should be one."""

    tenant: UUID
    what: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"tenant {self.tenant}: {self.what}: {self.found}, the rows say {self.expected}"


class Counted(NamedTuple):
    """How much was looked at."""

    calls: int = 0
    attempts: int = 0
    groups: int = 0
    windows: int = 0

    def __add__(self, other: tuple[Any, ...]) -> "Counted":
        return Counted(*(mine + more for mine, more in zip(self, other, strict=True)))


class Verdict(NamedTuple):
    differences: list[Difference]
    counted: Counted


def verify(tenant: UUID) -> Verdict:
    """All that is wrong in the books of a tenant; days whose calls are not kept are left out."""
    with _snapshot():
        budgets = _Budgets(tenant)
        differences: list[Difference] = []
        counted = Counted()
        since = rollups.kept_since()
        for day in _days(tenant, since):
            start = datetime(day.year, day.month, day.day, tzinfo=UTC)
            end = start + timedelta(days=1)
            booked = list(rollups.booked_between(tenant, start, end))
            for call in booked:
                differences += _within(tenant, call)
                budgets.count(call)
            found, groups = _against_rollups(tenant, day, booked)
            differences += found
            attempts = sum(len(call.attempts) for call in booked)
            counted += Counted(len(booked), attempts, groups)
        differences += _counts_of_attempts(tenant)
        found, number = budgets.compare(since)
        return Verdict(differences + found, counted + Counted(windows=number))


@contextmanager
def _snapshot() -> Iterator[None]:
    """A transaction that sees one state of the database, however long it reads."""
    with transaction.atomic():
        if connection.vendor == "postgresql" and not connection.savepoint_ids:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        with system_scope():
            yield


def days_of(tenant: UUID) -> list[date]:
    """Days that have calls or sums, in order; those whose calls are not kept are left out."""
    with _snapshot():
        return _days(tenant, rollups.kept_since())


def _days(tenant: UUID, since: datetime) -> list[date]:
    calls = Call.objects.filter(tenant_id=tenant).annotate(day=TruncDate("created_at"))
    waiting = SpendDelta.objects.filter(tenant_id=tenant).annotate(day=TruncDate("hour"))
    hours = SpendHour.objects.filter(tenant_id=tenant).annotate(day=TruncDate("hour"))
    days = SpendDay.objects.filter(tenant_id=tenant)
    found: set[date] = set()
    for rows in (calls, waiting, hours, days):
        found |= set(rows.order_by().values_list("day", flat=True).distinct())
    return sorted(day for day in found if day >= since.date())


def _within(tenant: UUID, call: Booked) -> list[Difference]:
    """A settled call costs what its attempts do, and is unpriced when one of them is."""
    if call.settled is None:
        return []
    cost, _ = sums.total_of(call.attempts)
    if cost == call.settled.cost:
        return []
    what = f"cost of call_{call.opened.call}"
    return [Difference(tenant, what, _usd(cost), _usd(call.settled.cost))]


def _counts_of_attempts(tenant: UUID) -> list[Difference]:
    """Settled calls whose number of attempts is not that of their rows."""
    call, attempt = Call._meta.db_table, "billing_attempt"
    since = periods.first_id(rollups.kept_since())
    uuid = Call._meta.pk.get_db_prep_value
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT c.id, c.attempts, count(a.call_id) FROM {call} c"  # noqa: S608
            f" LEFT JOIN {attempt} a ON a.tenant_id = c.tenant_id AND a.call_id = c.id"
            " WHERE c.tenant_id = %s AND c.id >= %s AND c.status <> 'open'"
            " GROUP BY c.id, c.attempts HAVING c.attempts <> count(a.call_id) ORDER BY c.id",
            [uuid(tenant, connection), uuid(since, connection)],
        )
        rows = cursor.fetchall()
    return [
        Difference(tenant, f"attempts of {_shown(call_id)}", str(there), str(said))
        for call_id, said, there in rows
    ]


def _shown(call: UUID | str) -> str:
    return ids.show("call", call if isinstance(call, UUID) else UUID(call))


def _against_rollups(tenant: UUID, day: date, booked: list[Booked]) -> tuple[list[Difference], int]:
    """The hours of a day and the day itself against its calls; and how many groups there are."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    of_hour: defaultdict[Group, Sums] = defaultdict(lambda: dict.fromkeys(SUMS, 0))
    of_day: defaultdict[Group, Sums] = defaultdict(lambda: dict.fromkeys(SUMS, 0))
    first = 2 + len(DIMENSIONS)
    for row in deltas.sum_up(booked):
        values = dict(zip(DELTA_COLUMNS[first:], row[first:], strict=True))
        _add(of_hour[row[1], *row[2:first]], values)
        _add(of_day[row[2:first]], values)
    between = {"hour__gte": start, "hour__lt": start + timedelta(days=1)}
    waiting = list(SpendDelta.objects.filter(tenant_id=tenant, **between))
    hours = list(SpendHour.objects.filter(tenant_id=tenant, **between))
    days = list(SpendDay.objects.filter(tenant_id=tenant, day=day))
    found_hours = _summed([*hours, *waiting], ("hour", *DIMENSIONS))
    found_days = _summed([*days, *waiting], DIMENSIONS)
    differences = [
        *_compared(tenant, f"hour of {day}", of_hour, found_hours),
        *_compared(tenant, f"day {day}", of_day, found_days),
        *_against_tags(tenant, day, booked),
    ]
    return differences, len(of_hour) + len(of_day)


def _against_tags(tenant: UUID, day: date, booked: list[Booked]) -> Iterator[Difference]:
    first = 2 + len(TAG_DIMENSIONS)
    expected = {
        row[2:first]: dict(zip(TAG_COLUMNS[first:], row[first:], strict=True))
        for row in deltas.sum_up_tags(booked)
    }
    rows = [
        row
        for model in (TagDay, TagDelta)
        for row in model.objects.filter(tenant_id=tenant, day=day)
    ]
    yield from _compared(tenant, f"tag of {day}", expected, _summed(rows, TAG_DIMENSIONS))


def _summed(rows: list[Any], dimensions: Sequence[str]) -> dict[Group, Sums]:
    found: defaultdict[Group, Sums] = defaultdict(lambda: dict.fromkeys(SUMS, 0))
    for row in rows:
        _add(found[tuple(getattr(row, name) for name in dimensions)], _values(row))
    return found


def _values(row: Summed) -> Sums:
    return {
        name: money.to_pico(getattr(row, name)) if name in _MONEY else getattr(row, name)
        for name in SUMS
    }


def _add(total: Sums, values: Sums) -> None:
    for name, value in values.items():
        total[name] += value


def _compared(
    tenant: UUID, what: str, expected: dict[Group, Sums], found: dict[Group, Sums]
) -> Iterator[Difference]:
    none = dict.fromkeys(SUMS, 0)
    for group in sorted({*expected, *found}, key=str):
        should, has = expected.get(group, none), found.get(group, none)
        named = " ".join(str(part) for part in group if str(part))
        for name in SUMS:
            if should[name] != has[name]:
                yield Difference(
                    tenant, f"{what} [{named}]: {name}", _figure(name, should), _figure(name, has)
                )


def _figure(name: str, values: Sums) -> str:
    return _usd(money.from_pico(values[name])) if name in _MONEY else str(values[name])


def _usd(amount: Decimal | None) -> str:
    return "unpriced" if amount is None else f"{money.plain(amount)} USD"


class _Budgets:
    """What the windows of a tenant's budgets should have counted."""

    def __init__(self, tenant: UUID) -> None:
        self._tenant = tenant
        self._budgets = {row.pk: row for row in Budget.objects.filter(tenant_id=tenant)}
        keys = GatewayKey.objects.filter(tenant_id=tenant).values_list("pk", "lineage")
        self._lineages: Lineages = dict(keys) if self._budgets else {}
        self._spent: defaultdict[tuple[UUID, str, datetime], int] = defaultdict(int)

    def count(self, call: Booked) -> None:
        cost = sum(money.to_pico(one.cost) for one in call.attempts if one.cost)
        if not cost:
            return
        opened = call.opened
        for budget in self._budgets.values():
            if charges.covers(budget, call, self._lineages):
                key = charges.key_of(budget, opened.mode, opened.opened_at)
                if key is not None:
                    self._spent[key.budget, key.calls, windows.instant(key.start)] += cost

    def compare(self, since: datetime) -> tuple[list[Difference], int]:
        """Counters of windows whose calls are all kept, and leases of all."""
        rows = list(BudgetWindow.objects.filter(tenant_id=self._tenant))
        leases = dict(
            Lease.objects.filter(tenant_id=self._tenant)
            .values_list("window")
            .annotate(total=Sum("amount"))
        )
        differences = []
        for row in rows:
            budget = self._budgets[row.budget_id]
            what = f"budget {budget} of {row.calls} calls from {row.starts_at:%Y-%m-%d}"
            spent = money.from_pico(self._spent[row.budget_id, row.calls, row.starts_at])
            counts_all = row.starts_at >= max(since, _first_window(budget))
            if counts_all and row.spent != spent:
                differences.append(
                    Difference(self._tenant, f"{what}: spent", _usd(spent), _usd(row.spent))
                )
            leased = leases.get(row.pk) or ZERO
            if row.leased != leased:
                differences.append(
                    Difference(self._tenant, f"{what}: leased", _usd(leased), _usd(row.leased))
                )
        return differences, len(rows)


def _first_window(budget: Budget) -> datetime:
    """The window a budget was made in; in earlier ones only late settlements are counted."""
    since = windows.milliseconds(budget.created_at)
    return windows.instant(windows.at(budget.window, since, since=since).start)
