"""The first page: figures, health, what to do first; and the switch between test and live."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.test import Client

from accounts import provider_keys
from accounts.models import ProviderKey
from accounts.models.provider_key import KeyStatus
from accounts.tenancy import tenant_scope
from billing import rollups
from tests.dashboard.conftest import LogIn, World, milliseconds
from tests.dashboard.reading import text
from tests.factories.accounts import MembershipFactory, TenantFactory
from tests.factories.billing import AttemptEndedFactory, book_call, failed

PAGE = "/dashboard/?mode=live"


def test_today_and_the_month_and_the_last_thirty_days_are_summed(
    owner: Client, world: World, now: datetime
) -> None:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    first = midnight.replace(day=1)
    for at in (midnight, first, midnight - timedelta(days=29), midnight - timedelta(days=30)):
        book_call(world.tenant, opened_at=milliseconds(at))
    rollups.add_up()

    spent = owner.get(PAGE).context["spent"]

    calls = [world.call.created_at, midnight, first]
    of_month = sum(1 for at in calls if at >= first)
    assert spent.today.calls == sum(1 for at in calls if at >= midnight)
    assert spent.month.calls >= of_month
    in_thirty_days = [*calls, midnight - timedelta(days=29)]
    assert spent.days.calls == sum(
        1 for at in in_thirty_days if at >= midnight - timedelta(days=29)
    )
    assert spent.days.cost == spent.days.calls * Decimal("0.002")


def test_rescued_calls_errors_and_health_are_told(
    owner: Client, world: World, now: datetime
) -> None:
    moment = milliseconds(now - timedelta(minutes=1))
    book_call(
        world.tenant,
        attempts=[failed("", 1, provider="cerebras"), AttemptEndedFactory.build(call="", number=2)],
        opened_at=moment,
    )
    book_call(
        world.tenant,
        attempts=[failed("", 1, provider="cerebras")],
        settled={"status": "failed", "error_code": "provider_rate_limited"},
        opened_at=moment,
    )

    answer = owner.get(PAGE)

    assert answer.context["spent"].days.rescued == 1
    assert "33.3 % ended in an error" in text(answer)
    shares = {health.provider: health.share for health, _ in answer.context["health"]}
    assert shares == {"groq": 1.0, "cerebras": 0.0}


def test_speed_names_the_number_of_calls_it_rests_on(
    owner: Client, world: World, now: datetime
) -> None:
    for number in range(1, 20):
        settled = {"latency_ms": number * 100, "first_token_ms": number * 10}
        book_call(world.tenant, settled=settled, opened_at=milliseconds(now) - number)

    speed = owner.get(PAGE).context["latency"]

    assert (speed.calls, speed.p50_ms, speed.p95_ms) == (20, 900, 1800)
    assert (speed.first_token_p50_ms, speed.first_token_p95_ms) == (90, 180)
    assert "last 20 answered calls" in text(owner.get(PAGE))


def test_a_key_that_its_provider_refuses_is_announced(
    owner: Client, world: World, now: datetime
) -> None:
    with tenant_scope(world.tenant.pk):
        key = ProviderKey.objects.for_tenant(world.tenant).select_related("tenant").get()
        provider_keys.record_check(key, status=KeyStatus.INVALID, now=now)

    assert "Groq refuses your key" in text(owner.get(PAGE))


def test_the_first_steps_tick_themselves(world: World, log_in: LogIn, now: datetime) -> None:
    tenant = TenantFactory.create()
    browser = log_in(MembershipFactory.create(tenant=tenant).user)
    steps = browser.get("/dashboard/checklist/")
    assert "Create a key" in text(steps)
    assert "Waiting for your first call" in text(steps)
    assert 'hx-trigger="flo2-calls from:body throttle:2s, every 15s"' in steps.content.decode()

    book_call(tenant, mode="test", opened_at=milliseconds(now))

    later = browser.get("/dashboard/checklist/")
    assert "Waiting for your first call" not in text(later)
    assert "Paste a provider key" in text(later)


def test_once_all_steps_are_done_they_are_gone(owner: Client) -> None:
    assert "First steps" not in text(owner.get(PAGE))
    assert "htmx" not in owner.get(PAGE).content.decode().replace("htmx-config", "")


def test_before_the_first_live_call_the_pages_show_test_data(
    world: World, log_in: LogIn, now: datetime
) -> None:
    tenant = TenantFactory.create()
    browser = log_in(MembershipFactory.create(tenant=tenant).user)
    assert browser.get("/dashboard/").context["mode"] == "test"

    tenant.first_live_call_at = now
    tenant.save()

    assert browser.get("/dashboard/").context["mode"] == "live"


def test_the_mode_of_the_url_is_remembered(owner: Client) -> None:
    assert owner.get("/dashboard/").context["mode"] == "live"
    assert owner.get("/dashboard/calls/?mode=test").context["mode"] == "test"
    assert owner.get("/dashboard/").context["mode"] == "test"
    assert owner.get("/dashboard/?mode=nonsense").context["mode"] == "test"


def test_a_user_of_two_tenants_switches(world: World, log_in: LogIn) -> None:
    other = TenantFactory.create(name="Other")
    MembershipFactory.create(tenant=other, user=world.owner)
    browser = log_in(world.owner)
    assert "Acme" in text(browser.get("/dashboard/"))

    answer = browser.post("/dashboard/switch/", {"tenant": str(other.pk)}, follow=True)

    assert answer.context["tenant"] == other


def test_nobody_switches_to_a_tenant_of_others(owner: Client) -> None:
    theirs = TenantFactory.create()

    assert owner.post("/dashboard/switch/", {"tenant": str(theirs.pk)}).status_code == 404
    assert owner.post("/dashboard/switch/", {"tenant": "nonsense"}).status_code == 404


def test_a_suspended_tenant_reads_the_reason(owner: Client, world: World, now: datetime) -> None:
    world.tenant.suspended_at, world.tenant.suspended_reason = now, "unpaid invoice"
    world.tenant.save()

    assert "unpaid invoice" in text(owner.get(PAGE))


def test_an_expired_login_reloads_the_page_that_asks_in_the_background(client: Client) -> None:
    answer = client.get("/dashboard/checklist/", headers={"HX-Request": "true"})

    assert answer["HX-Refresh"] == "true"
