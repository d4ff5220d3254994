"""The weekly report: who wants it, what stands in it, and when it is due.

It covers the week that ended, Monday to Sunday in the tenant's time zone, and is mailed on Monday
from eight o'clock on. A row is claimed before its mail is sent, so that nobody gets it twice; a
mail that the server does not take is tried again by the next turn.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from django.core import signing
from django.urls import reverse

from accounts import tenant_settings, time_zones
from accounts.models import Membership, Tenant, User
from accounts.tenancy import system_scope, tenant_scope
from billing import span_report
from billing.reports import Totals
from dashboard import figures, mails, marks, snippets
from dashboard.models import WeeklyReport

SALT = "weekly-report"
HOUR = time(8)
WEEK = timedelta(days=7)
MOST_MODELS = 5


@dataclass(frozen=True)
class Line:
    """A figure of the week, of the week before, and how they differ, in words."""

    label: str
    now: str
    before: str
    change: str = ""


@dataclass(frozen=True)
class Report:
    """What the mail tells. `models` are (name, cost, calls), the dearest first."""

    first: date
    last: date
    zone: str
    lines: list[Line]
    models: list[tuple[str, str, str]]
    total: Totals
    before: Totals

    @property
    def is_empty(self) -> bool:
        return not (self.total.calls or self.before.calls)

    @property
    def span(self) -> str:
        first = f"{self.first.day} {self.first:%b}" if self.first.month != self.last.month else ""
        return f"{first or self.first.day}–{self.last.day} {self.last:%b %Y}"


def choose(membership: Membership, *, wanted: bool, now: datetime) -> None:
    """In the caller's scope. Whoever joins in gets the first report next Monday."""
    rows = WeeklyReport.objects.for_tenant(membership.tenant_id)
    if not wanted:
        rows.filter(user=membership.user_id).delete()
        return
    monday = monday_of(now.astimezone(time_zones.zone(_zone(membership.tenant_id))).date())
    rows.get_or_create(
        user=membership.user,
        tenant=membership.tenant,
        defaults={"tenant": membership.tenant, "sent_monday": monday},
    )


def is_wanted(membership: Membership) -> bool:
    rows = WeeklyReport.objects.for_tenant(membership.tenant_id)
    return rows.filter(user=membership.user_id).exists()


def token_of(row: WeeklyReport) -> str:
    """What its unsubscribe link ends in: signed, so that it works without a login."""
    return signing.dumps(str(row.pk), salt=SALT)


def find(token: str) -> WeeklyReport | None:
    """The wish behind a link; None for one that was taken back, or is no link of ours."""
    try:
        wanted = UUID(signing.loads(token, salt=SALT))
    except (signing.BadSignature, ValueError, TypeError):
        return None
    with system_scope():
        rows = WeeklyReport.objects.select_related("tenant", "user")
        return rows.filter(pk=wanted).first()


def unsubscribe(row: WeeklyReport) -> None:
    with tenant_scope(row.tenant_id):
        WeeklyReport.objects.for_tenant(row.tenant_id).filter(pk=row.pk).delete()


def send_due(now: datetime) -> int:
    """Mail the reports that are due; how many were sent."""
    if not mails.can_send():
        return 0
    return sum(_send_of(tenant, now) for tenant in _tenants_in_time(now))


def monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())


def report(tenant: UUID, monday: date, zone: str) -> Report:
    """The week before this Monday, held against the one before it. In the tenant's scope."""
    ours = time_zones.zone(zone)
    ends, starts, earlier = (
        datetime.combine(monday - back * WEEK, time(), ours) for back in range(3)
    )
    models = span_report.by_model(tenant, starts, ends, mode="live")
    total = sum(models.values(), Totals())
    before = sum(span_report.by_model(tenant, earlier, starts, mode="live").values(), Totals())
    dearest = sorted(models.items(), key=lambda one: (-one[1].cost, one[0]))
    return Report(
        first=monday - WEEK,
        last=monday - timedelta(days=1),
        zone=zone,
        lines=_lines(total, before),
        models=[
            (f"{marks.label_of(provider)} {model}", figures.usd(of.cost), figures.whole(of.calls))
            for (provider, model), of in dearest[:MOST_MODELS]
            if provider
        ],
        total=total,
        before=before,
    )


def _tenants_in_time(now: datetime) -> list[UUID]:
    """Tenants with a wish that may be due somewhere on earth."""
    latest = (now + timedelta(hours=14)).date() - WEEK
    with system_scope():
        rows = WeeklyReport.objects.filter(
            sent_monday__lte=latest, tenant__deleting_since=None, tenant__suspended_at=None
        )
        return list(rows.order_by("tenant_id").values_list("tenant_id", flat=True).distinct())


def _send_of(tenant: UUID, now: datetime) -> int:
    with tenant_scope(tenant):
        zone = _zone(tenant)
        local = now.astimezone(time_zones.zone(zone))
        monday = monday_of(local.date())
        if local.date() == monday and local.time() < HOUR:
            return 0
        its = report(tenant, monday, zone)
        owner = Tenant.objects.get(pk=tenant)
        members = Membership.objects.for_tenant(tenant).values("user")
        waiting = WeeklyReport.objects.for_tenant(tenant).filter(
            sent_monday__lt=monday, user__in=members
        )
        rows = list(waiting.select_related("user", "tenant").order_by("pk"))
    return sum(_send(row, its, owner, monday) for row in rows)


def _send(row: WeeklyReport, its: Report, tenant: Tenant, monday: date) -> bool:
    """Claim, then send; weeks without any call are passed over."""
    last, user = row.sent_monday, row.user
    if not _move(row, last, monday) or its.is_empty:
        return False
    calls = f"{figures.whole(its.total.calls)} call{'' if its.total.calls == 1 else 's'}"
    subject = f"{tenant.name}, {its.span}: {figures.usd(its.total.cost)}, {calls}"
    sent = mails.send(
        "weekly_report",
        to=user.email,
        subject=subject,
        context=_context(row, its, tenant, user),
        headers=_headers(row),
    )
    if not sent:
        _move(row, monday, last)
    return sent


def _move(row: WeeklyReport, before: date, after: date) -> bool:
    with tenant_scope(row.tenant_id):
        rows = WeeklyReport.objects.for_tenant(row.tenant_id)
        return bool(rows.filter(pk=row.pk, sent_monday=before).update(sent_monday=after))


def _context(row: WeeklyReport, its: Report, tenant: Tenant, user: User) -> dict[str, object]:
    base = snippets.public_url()
    query = f"?mode=live&from={its.first}&to={its.last}"
    return {
        "report": its,
        "tenant": tenant.name,
        "email": user.email,
        "costs_url": f"{base}{reverse('costs')}{query}",
        "settings_url": f"{base}{reverse('settings')}",
        "unsubscribe_url": _unsubscribe_url(row),
    }


def _headers(row: WeeklyReport) -> dict[str, str]:
    """RFC 8058: mail programs show a button that ends it."""
    return {
        "List-Unsubscribe": f"<{_unsubscribe_url(row)}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def _unsubscribe_url(row: WeeklyReport) -> str:
    return snippets.public_url() + reverse("unsubscribe", args=[token_of(row)])


def _lines(now: Totals, before: Totals) -> list[Line]:
    found = [
        Line(
            "Spent",
            figures.usd(now.cost),
            figures.usd(before.cost),
            _change(float(now.cost), float(before.cost)),
        ),
        _count("Calls", now.calls, before.calls),
        _count("Failed calls", now.failed_calls, before.failed_calls),
        _count("Rescued by another try", now.rescued, before.rescued),
        Line("Saved by the cache", figures.usd(now.saved), figures.usd(before.saved)),
    ]
    if now.unpriced_calls or before.unpriced_calls:
        found.append(_count("Calls at an unknown price", now.unpriced_calls, before.unpriced_calls))
    return found


def _count(label: str, now: int, before: int) -> Line:
    return Line(label, figures.whole(now), figures.whole(before), _change(now, before))


def _change(now: float, before: float) -> str:
    if not before or now == before:
        return ""
    sign = "+" if now > before else figures.MINUS
    return f"{sign}{abs(now / before - 1):.0%}"


def _zone(tenant: UUID) -> str:
    return tenant_settings.read(tenant).time_zone
