"""Calls that fit a filter, newest first, page by page.

A page looks at no more than so many calls, whatever the filter: one that fits next to nothing would
else read millions. What it did not come to is behind its cursor. Where none of the calls that it
looked at fits, the roll-ups know the newest hour that has one, and the search goes on there.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import F, Q, QuerySet, Subquery, UUIDField

from accounts import ids
from accounts.models import Tenant
from billing import periods
from billing.models import Call, SpendDelta, SpendHour

PAGE_LIMIT = 200
HOUR = timedelta(hours=1)
LOOKED_AT = 50_000  # calls, at most, for one page

_TAGGED = {
    "postgresql": "tags @> to_jsonb(%s::text)",
    "sqlite": "EXISTS (SELECT 1 FROM json_each(tags) WHERE value = %s)",
}
# What of an hour's sums tells that it has calls of a status; others are neither.
_SUCCEEDED, _FAILED = Q(succeeded__gt=0), Q(failed_calls__gt=0)
_OTHERS = Q(calls__gt=F("succeeded") + F("failed_calls"))
_BY_STATUS = {"succeeded": _SUCCEEDED, "failed": _FAILED, "unknown": _FAILED}


@dataclass(frozen=True, kw_only=True)
class CallFilter:
    """Which calls to list; empty fields do not restrict."""

    mode: str
    start: datetime | None = None
    end: datetime | None = None
    provider: str = ""
    model: str = ""
    status: str = ""
    project: UUID | None = None
    key: UUID | None = None
    tag: str = ""
    policy: str = ""

    @property
    def summed(self) -> dict[str, Any]:
        """The columns that calls and roll-ups have in common, and their values."""
        exact = {
            "provider": self.provider,
            "model": self.model,
            "project_id": self.project,
            "gateway_key_id": self.key,
            "policy": self.policy,
        }
        return {name: value for name, value in exact.items() if value}


@dataclass(frozen=True)
class Page:
    """Calls newest first, and the cursor of the page after them: there may be more behind it."""

    calls: list[Call]
    next: str | None

    @property
    def looked_back_to(self) -> datetime | None:
        """What is older was not looked at; None where all was."""
        return _made_at(ids.decode(self.next)) if self.next else None


def list_calls(tenant: UUID, wanted: CallFilter, *, cursor: str = "", limit: int = 50) -> Page:
    """A page of calls, found by key and not by offset. Raises InvalidId for a bad cursor."""
    limit = max(1, min(limit, PAGE_LIMIT))
    before = ids.decode(cursor) if cursor else None
    found, stopped_at = _look(tenant, wanted, before, limit)
    if stopped_at and not found:
        before = _next_place(tenant, wanted, stopped_at)
        found, stopped_at = _look(tenant, wanted, before, limit) if before else ([], None)
    if len(found) > limit:
        found = found[:limit]
        stopped_at = found[-1].id
    return Page(found, ids.encode(stopped_at.int) if stopped_at else None)


def pick_calls(
    tenant: UUID, wanted: CallFilter, calls: list[UUID], *, limit: int = PAGE_LIMIT
) -> list[Call]:
    """Those of some calls that fit the filter, newest first."""
    return _fitting(_of_mode(tenant, wanted).filter(id__in=calls), wanted, limit)


def _look(
    tenant: UUID, wanted: CallFilter, before: UUID | None, limit: int
) -> tuple[list[Call], UUID | None]:
    """Up to one call more than the limit; and where it stopped before it had that many."""
    rows = _of_mode(tenant, wanted)
    if before:
        rows = rows.filter(id__lt=before)
    if wanted.status == "open":  # few, with an index of their own
        return _fitting(rows.filter(status="open"), wanted, limit + 1), None
    rows = rows.order_by("-id")
    found = _fitting(rows[:LOOKED_AT], wanted, limit + 1)
    if len(found) > limit:
        return found, None
    last = rows.values_list("id", flat=True)[LOOKED_AT - 1 : LOOKED_AT]
    return found, next(iter(last), None)


def _of_mode(tenant: UUID, wanted: CallFilter) -> QuerySet[Call]:
    """What the index of the table tells by itself."""
    rows = Call.objects.for_tenant(tenant).filter(mode=wanted.mode)
    if wanted.start:
        rows = rows.filter(id__gte=periods.first_id(wanted.start))
    if wanted.end:
        rows = rows.filter(id__lt=periods.id_after(wanted.end))
    return rows


def _fitting(rows: QuerySet[Call], wanted: CallFilter, most: int) -> list[Call]:
    """The newest of these calls that fit. The ORM does not filter what it has sliced: hence SQL."""
    inner, values = rows.query.sql_with_params()
    conditions = {f"{name} = %s": _id(value) for name, value in wanted.summed.items()}
    if wanted.status:
        conditions["status = %s"] = wanted.status
    if wanted.tag:
        conditions[_TAGGED[connection.vendor]] = wanted.tag
    if wanted.start:
        conditions["created_at >= %s"] = _instant(wanted.start)
    if wanted.end:
        conditions["created_at < %s"] = _instant(wanted.end)
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    statement = f"SELECT * FROM ({inner}) billing_call{where} ORDER BY id DESC LIMIT %s"  # noqa: S608
    return list(rows.raw(statement, [*values, *conditions.values(), most]))


def _next_place(tenant: UUID, wanted: CallFilter, stopped_at: UUID) -> UUID | None:
    """Before which id to go on: after the newest hour that has such calls, or None has."""
    by_status = _BY_STATUS.get(wanted.status, _OTHERS) if wanted.status else Q(calls__gt=0)
    latest = _made_at(stopped_at) + HOUR  # of its call's opening: ids are made before
    newest = [
        Subquery(
            model.objects.for_tenant(tenant)
            .filter(by_status, mode=wanted.mode, hour__lte=latest, **wanted.summed)
            .order_by("-hour")
            .values("hour")[:1]
        )
        for model in (SpendHour, SpendDelta)
    ]
    [hours] = Tenant.objects.filter(pk=tenant).values_list(*newest)  # both in one question
    found = [hour for hour in hours if hour]
    if not found:
        return None
    return min(stopped_at, periods.id_after(max(found) + HOUR))


def _made_at(call: UUID) -> datetime:
    return datetime.fromtimestamp((call.int >> 80) / 1000, tz=UTC)


def _id(value: Any) -> Any:
    return UUIDField().get_db_prep_value(value, connection) if isinstance(value, UUID) else value


def _instant(at: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(at)
