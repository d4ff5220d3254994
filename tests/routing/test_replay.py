"""The last days once more by a draft: what would have been otherwise, and on what that rests."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Tenant
from accounts.tenancy import tenant_scope
from billing.pricing import Price
from billing.usage import Usage
from routing import policy_terms, replay
from routing.dry_run import Desk
from routing.policy_terms import PolicyInForce
from tests.factories.accounts import TenantFactory, add_provider_key
from tests.factories.billing import AttemptEndedFactory, book_call, failed
from tests.routing.plan.builders import price

pytestmark = pytest.mark.django_db

NOW = timezone.now()
GROQ, OPENAI = ("groq", "llama-3.3-70b-versatile"), ("openai", "gpt-4.1-mini")
PRICES = {"groq": price("1", "1"), "openai": price("4", "4")}


@pytest.fixture
def tenant() -> Tenant:
    tenant = TenantFactory.create()
    for slug in ("groq", "openai"):
        add_provider_key(tenant, provider=slug)
    return tenant


def book(
    tenant: Tenant,
    place: tuple[str, str],
    *,
    latency_ms: int = 200,
    days_ago: float = 1,
    attempts: Any = None,
    **opened: Any,
) -> None:
    """A call of 1000 tokens in and 500 out."""
    provider, model = place
    number = len(attempts or ()) + 1
    shown = AttemptEndedFactory.build(call="x", number=number, provider=provider, model=model)
    book_call(
        tenant,
        opened_at=int((NOW - timedelta(days=days_ago)).timestamp() * 1000),
        attempts=[*(attempts or ()), shown],
        settled={"latency_ms": latency_ms},
        **opened,
    )


def replayed(
    tenant: Tenant,
    strategy: str = "priority",
    *,
    name: str = "draft",
    days: int = 7,
    price_of: Callable[[str, str], Price | None] = lambda slug, _: PRICES.get(slug),
    **document: Any,
) -> dict[str, Any]:
    terms = policy_terms.read({"strategy": strategy, **document})
    with tenant_scope(tenant.pk):
        desk = Desk(tenant.pk, mode="live", now=NOW)
        desk.price_of = price_of  # type: ignore[assignment]
        return replay.of_policy(desk, name, PolicyInForce(name, 0, terms), days=days)


TO_GROQ: dict[str, Any] = {"targets": ["/".join(GROQ)]}


def test_costs_are_todays_prices_of_the_tokens_that_were_used(tenant: Tenant) -> None:
    for _ in range(4):
        book(tenant, OPENAI)

    found = replayed(tenant, **TO_GROQ)

    # 1,500 tokens at 4 and at 1 USD per million, four times
    assert found["cost_usd"]["before"] == "0.024"
    assert found["cost_usd"]["after"] == "0.006"
    assert found["cost_usd"]["change"] == "-0.018"
    assert found["moved_share"] == 1
    assert found["estimate"] is True


def test_the_same_choice_changes_nothing(tenant: Tenant) -> None:
    for number in range(5):
        book(tenant, GROQ, latency_ms=100 * number)

    found = replayed(tenant, **TO_GROQ)

    for figure in ("cost_usd", "latency_p50_ms", "latency_p95_ms", "error_rate"):
        assert float(found[figure]["change"]) == 0
        assert [float(edge) for edge in found[figure]["interval"]] == [0, 0]


def test_times_are_drawn_from_what_the_target_took(tenant: Tenant) -> None:
    for _ in range(20):
        book(tenant, GROQ, latency_ms=100)
        book(tenant, OPENAI, latency_ms=900)

    found = replayed(tenant, **TO_GROQ)

    assert found["latency_p50_ms"]["after"] == found["latency_p95_ms"]["after"] == 100
    assert found["latency_p95_ms"]["before"] == 900
    low, high = found["latency_p95_ms"]["interval"]
    assert low <= found["latency_p95_ms"]["change"] <= high


def test_what_was_never_measured_is_counted_and_not_guessed(tenant: Tenant) -> None:
    for _ in range(3):
        book(tenant, OPENAI)

    found = replayed(tenant, **TO_GROQ)

    assert found["basis"]["never_seen_share"] == 1
    assert found["latency_p50_ms"] is None
    assert found["error_rate"] is None


def test_an_unknown_price_is_unknown_and_not_nothing(tenant: Tenant) -> None:
    book(tenant, OPENAI)

    found = replayed(tenant, price_of=lambda slug, _: None, **TO_GROQ)

    assert found["cost_usd"] is None
    assert found["basis"]["priced_share"] == 0


def test_errors_are_the_failed_attempts_of_the_target(tenant: Tenant) -> None:
    for number in range(10):
        first = [failed("x", provider=GROQ[0], model=GROQ[1])] if number < 4 else []
        book(tenant, OPENAI if first else GROQ, attempts=first)

    found = replayed(tenant, targets=["/".join(OPENAI)])

    assert found["error_rate"]["before"] == pytest.approx(0.4)
    assert found["error_rate"]["after"] == 0


def test_only_calls_of_the_period_and_of_the_mode_count(tenant: Tenant) -> None:
    book(tenant, GROQ, days_ago=1)
    book(tenant, GROQ, days_ago=9)
    book(tenant, GROQ, days_ago=1, mode="test")
    book(TenantFactory.create(), GROQ, days_ago=1)

    assert replayed(tenant, days=7, **TO_GROQ)["basis"]["calls"] == 1
    assert replayed(tenant, days=10, **TO_GROQ)["basis"]["calls"] == 2


def test_a_policy_with_calls_of_its_own_is_replayed_over_these(tenant: Tenant) -> None:
    book(tenant, GROQ)
    book(tenant, GROQ, policy="shop", policy_version=1)

    assert (
        replayed(tenant, name="shop", **TO_GROQ)["basis"] | {"calls": 1}
        == replayed(tenant, name="shop", **TO_GROQ)["basis"]
    )
    assert replayed(tenant, name="shop", **TO_GROQ)["basis"]["of"] == "policy shop"
    assert replayed(tenant, name="new", **TO_GROQ)["basis"]["calls"] == 2


def test_calls_that_nobody_could_serve_are_counted(tenant: Tenant) -> None:
    book(tenant, GROQ)

    found = replayed(tenant, "priority", targets=["cerebras/gpt-oss-120b"])

    assert found["basis"]["unservable"] == 1
    assert found["cost_usd"] is None


def test_without_calls_there_is_nothing_to_say(tenant: Tenant) -> None:
    found = replayed(tenant, **TO_GROQ)

    assert found["basis"]["calls"] == 0
    assert found["cost_usd"] is None


def test_a_longer_writer_costs_more(tenant: Tenant) -> None:
    book(tenant, GROQ)

    found = replayed(tenant, targets=["groq/openai/gpt-oss-20b"])

    assert Decimal(found["cost_usd"]["after"]) > Decimal(found["cost_usd"]["before"])


def test_another_providers_cache_is_cold(tenant: Tenant) -> None:
    usage = Usage(input_uncached=100, cache_read=900, output_visible=0)
    attempt = AttemptEndedFactory.build(call="x", provider=OPENAI[0], model=OPENAI[1], usage=usage)
    book_call(tenant, opened_at=int(NOW.timestamp() * 1000) - 1000, attempts=[attempt])
    rates = type(PRICES["openai"].rates)(Decimal(4), Decimal(4), cache_read=Decimal("0.4"))
    cached = Price(source="test", rates=rates)

    found = replayed(
        tenant, price_of=lambda slug, _: cached if slug == "openai" else PRICES["groq"], **TO_GROQ
    )

    assert found["cost_usd"]["before"] == "0.00076"
    assert found["cost_usd"]["after"] == "0.001"
