"""The weekly report: for whoever wants it, on Monday morning of the tenant's place, once."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core import mail
from django.core.mail import EmailMultiAlternatives
from django.test import Client

from accounts import audit, tenant_settings
from accounts.models import Membership
from accounts.roles import Role
from accounts.tenancy import system_scope, tenant_scope
from billing import rollups
from dashboard import weekly
from dashboard.models import WeeklyReport
from dashboard.tasks import send_weekly_reports
from tests.dashboard.conftest import LogIn, World, milliseconds
from tests.dashboard.reading import text
from tests.factories.accounts import MembershipFactory, TenantFactory
from tests.factories.billing import AttemptEndedFactory, book_call, failed

SETTINGS, MAILS = "/dashboard/settings/", "/dashboard/settings/mails/"
MONDAY = datetime(2026, 11, 16, 8, tzinfo=UTC)  # eight o'clock in UTC
BEFORE = MONDAY - timedelta(days=9)  # when people chose: a Saturday


def call(world: World, at: datetime, cost: str = "1.50", **more: Any) -> None:
    attempt = AttemptEndedFactory.build(call="", cost=Decimal(cost))
    book_call(world.tenant, attempts=[attempt], opened_at=milliseconds(at), **more)


def want(membership: Membership, at: datetime = BEFORE) -> None:
    with tenant_scope(membership.tenant_id):
        weekly.choose(membership, wanted=True, now=at)


def live_in(world: World, zone: str) -> None:
    with tenant_scope(world.tenant.pk):
        tenant_settings.change(world.tenant, {"time_zone": zone}, actor=audit.SYSTEM)


def sent() -> list[EmailMultiAlternatives]:
    return [one for one in mail.outbox if isinstance(one, EmailMultiAlternatives)]


@pytest.fixture
def member(world: World, mail_is_sent: None) -> Membership:
    """Somebody who wants it, of a tenant that called in both weeks."""
    found = world.membership_of(Role.VIEWER)
    want(found)
    call(world, MONDAY - timedelta(days=5))
    call(world, MONDAY - timedelta(days=4), "1.00")
    call(world, MONDAY - timedelta(days=10), "2.00")
    return found


def test_it_tells_the_week_against_the_week_before(member: Membership, world: World) -> None:
    book_call(
        world.tenant, attempts=[failed("")], settled={"status": "failed"},
        opened_at=milliseconds(MONDAY - timedelta(days=3)),
    )  # fmt: skip
    call(world, MONDAY + timedelta(hours=1), "7.00")  # belongs to the week that began
    call(world, MONDAY - timedelta(days=2), "9.00", mode="test")

    assert weekly.send_due(MONDAY) == 1

    [one] = sent()
    assert one.to == [member.user.email]
    assert one.subject == "Acme, 9–15 Nov 2026: $2.50, 3 calls"
    html = str(one.alternatives[0][0])
    for told in (str(one.body), re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))):
        assert "$2.50" in told
        assert "$2.00" in told
        assert "+25%" in told
        assert "Failed calls" in told
        assert "Groq llama-3.3-70b" in told
        assert "$9.00" not in told
    assert "Failed calls: 1 (before: 0)" in str(one.body)
    assert "Calls: 3 (before: 1, +200%)" in str(one.body)


def test_folding_the_sums_changes_nothing(member: Membership, world: World) -> None:
    with tenant_scope(world.tenant.pk):
        before = weekly.report(world.tenant.pk, MONDAY.date(), "UTC")
    rollups.add_up()
    with tenant_scope(world.tenant.pk):
        after = weekly.report(world.tenant.pk, MONDAY.date(), "UTC")

    assert before == after
    assert before.total.cost == Decimal("2.50")


def test_it_comes_once_and_then_the_week_after(member: Membership, world: World) -> None:
    assert weekly.send_due(MONDAY - timedelta(minutes=1)) == 0
    assert [weekly.send_due(MONDAY + timedelta(hours=hours)) for hours in (0, 1, 80)] == [1, 0, 0]
    assert weekly.send_due(MONDAY + timedelta(days=7)) == 1
    assert len(sent()) == 2


def test_a_worker_that_was_down_on_monday_sends_it_later(member: Membership) -> None:
    assert weekly.send_due(MONDAY + timedelta(days=2)) == 1


@pytest.mark.parametrize(
    ("zone", "hour"), [("Asia/Tokyo", -9), ("America/New_York", 5), ("Pacific/Kiritimati", -14)]
)
def test_monday_and_the_week_are_those_of_the_tenants_place(
    zone: str, hour: int, member: Membership, world: World
) -> None:
    live_in(world, zone)
    due = MONDAY + timedelta(hours=hour)
    midnight = due - timedelta(hours=8)
    call(world, midnight - timedelta(seconds=1), "0.25")
    call(world, midnight + timedelta(seconds=1), "0.50")

    assert weekly.send_due(due - timedelta(minutes=1)) == 0
    assert weekly.send_due(due) == 1

    assert "$2.75" in sent()[0].subject
    assert zone in str(sent()[0].body)


def test_who_joins_in_during_a_week_waits_for_its_monday(world: World, mail_is_sent: None) -> None:
    call(world, MONDAY - timedelta(days=5))
    want(world.membership_of(Role.OWNER), MONDAY + timedelta(days=1))

    assert weekly.send_due(MONDAY + timedelta(days=2)) == 0
    assert weekly.send_due(MONDAY + timedelta(days=7)) == 1


def test_two_weeks_without_a_call_are_passed_over(world: World, mail_is_sent: None) -> None:
    want(world.membership_of(Role.OWNER))

    assert weekly.send_due(MONDAY) == 0
    assert sent() == []


def test_what_the_mail_server_does_not_take_is_tried_again(
    member: Membership, settings: Any
) -> None:
    working = settings.EMAIL_BACKEND
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    assert weekly.send_due(MONDAY) == 0

    settings.EMAIL_BACKEND = working
    assert weekly.send_due(MONDAY + timedelta(minutes=15)) == 1


def test_without_mail_nothing_is_claimed(member: Membership, settings: Any) -> None:
    settings.EMAIL_CONFIG = {}
    assert send_weekly_reports() == 0

    settings.EMAIL_CONFIG = {"EMAIL_HOST": "mail.example.org"}
    assert weekly.send_due(MONDAY) == 1


def test_unknown_prices_are_said_and_not_summed(member: Membership, world: World) -> None:
    unpriced = AttemptEndedFactory.build(call="", cost=None, cost_status="unpriced")
    at = milliseconds(MONDAY - timedelta(days=3))
    book_call(world.tenant, attempts=[unpriced], opened_at=at)

    weekly.send_due(MONDAY)

    assert "Calls at an unknown price: 1 (before: 0)" in str(sent()[0].body)
    assert "$2.50" in sent()[0].subject


def test_a_suspended_tenant_and_somebody_who_left_get_none(
    member: Membership, world: World, log_in: LogIn
) -> None:
    log_in(member.user).post("/dashboard/team/leave/")

    assert weekly.send_due(MONDAY) == 0
    with system_scope():
        assert not WeeklyReport.objects.exists()


@pytest.mark.parametrize("role", Role.values)
def test_each_member_chooses_on_the_settings_page(
    role: str, world: World, log_in: LogIn, mail_is_sent: None
) -> None:
    browser = log_in(world.people[role])
    chosen = 'name="weekly" id="id_weekly" aria-describedby="id_weekly_helptext" checked'

    browser.post(MAILS, {"weekly": "on"})
    assert "checked" in browser.get(SETTINGS).content.decode().partition('name="weekly"')[2][:90]
    with system_scope():
        assert [row.user for row in WeeklyReport.objects.select_related("user")] == [
            world.people[role]
        ]
    browser.post(MAILS, {})
    assert chosen not in browser.get(SETTINGS).content.decode()
    with system_scope():
        assert not WeeklyReport.objects.exists()


def test_where_no_mail_is_sent_the_page_says_so(owner: Client) -> None:
    assert "This gateway sends no mail" in text(owner.get(SETTINGS))


def link_of(message: EmailMultiAlternatives) -> str:
    found = re.search(r"/unsubscribe/\S+/", str(message.body))
    assert found
    return found[0]


def test_the_link_ends_it_without_a_login_but_not_by_being_opened(member: Membership) -> None:
    weekly.send_due(MONDAY)
    link, visitor = link_of(sent()[0]), Client(enforce_csrf_checks=True)

    assert f"{member.user.email} gets a report of Acme" in text(visitor.get(link))
    with system_scope():
        assert WeeklyReport.objects.exists()
    answer = visitor.post(link, {"List-Unsubscribe": "One-Click"})

    assert "The weekly report has ended" in text(answer)
    with system_scope():
        assert not WeeklyReport.objects.exists()
    assert "There is nothing to end" in text(visitor.get(link))
    headers = sent()[0].extra_headers
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert link in headers["List-Unsubscribe"]


def test_an_invented_link_ends_nothing(member: Membership) -> None:
    weekly.send_due(MONDAY)
    link = link_of(sent()[0])

    for wrong in ("/unsubscribe/x/", link[:-3] + "AA/", "/unsubscribe/a:b:c/"):
        assert "There is nothing to end" in text(Client().post(wrong))
    with system_scope():
        assert WeeklyReport.objects.exists()


def test_another_tenant_stays_out_of_it(member: Membership, world: World) -> None:
    other = MembershipFactory.create(tenant=TenantFactory.create(name="Other"))
    want(other)
    book_call(
        other.tenant, attempts=[AttemptEndedFactory.build(call="", cost=Decimal(99))],
        opened_at=milliseconds(MONDAY - timedelta(days=2)),
    )  # fmt: skip

    assert weekly.send_due(MONDAY) == 2

    by_person = {one.to[0]: str(one.body) for one in sent()}
    assert "$99" not in by_person[member.user.email]
    assert "$99" in by_person[other.user.email]


def test_the_time_zone_is_set_by_page_and_api(owner: Client, world: World) -> None:
    owner.post(SETTINGS, {"name": "Acme", "time_zone": "Europe/Berlin"})
    assert owner.get("/api/v1/settings").json()["time_zone"] == "Europe/Berlin"

    for zone, status in {"Asia/Tokyo": 200, "Mars/Base": 400}.items():
        answer = owner.patch(
            "/api/v1/settings", {"time_zone": zone}, content_type="application/json"
        )
        assert answer.status_code == status
    assert owner.get("/api/v1/settings").json()["time_zone"] == "Asia/Tokyo"
    assert owner.post(SETTINGS, {"name": "Acme", "time_zone": "Mars/Base"}).status_code == 422
