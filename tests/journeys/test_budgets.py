"""Limits over HTTP: what a caller is told, what is refused, what nobody can pass by."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from accounts import audit, gateway_keys, tokens
from accounts.models import GatewayKey
from accounts.tenancy import tenant_scope
from billing import leases
from billing.models import Attempt, Budget, BudgetWindow
from tests.journeys import books
from tests.journeys.conftest import MESSAGES, Caller
from tests.servers.gateway import wait_for
from tests.servers.sandbox import Sandbox

PATH, MODEL = "/v1/chat/completions", "groq/llama-3.3-70b-versatile"


@pytest.fixture(autouse=True)
def _quick_to_give_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices of budgets that have plenty left go back as soon as those of others."""
    monkeypatch.setattr(leases, "IDLE_SECONDS_IN_PLENTY", leases.IDLE_SECONDS)


@pytest.fixture
def manager(caller: Caller) -> Iterator[httpx.Client]:
    """A client of the management API."""
    with tenant_scope(caller.tenant.pk):
        key = gateway_keys.issue_management_key(caller.tenant, name="m", actor=audit.SYSTEM)
    with caller.gateway.client(key.reveal()) as http:
        yield http


def record_of(caller: Caller, text: str) -> GatewayKey:
    with tenant_scope(caller.tenant.pk):
        rows = GatewayKey.objects.for_tenant(caller.tenant)
        return rows.get(mode="test", last4=text[-4:])


def make(manager: httpx.Client, limit: str, **fields: Any) -> dict[str, Any]:
    wanted = {"scope": "tenant", "window": "month", "limit_usd": limit, **fields}
    answer = manager.post("/api/v1/budgets", json=wanted)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def stands(manager: httpx.Client, budget: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = manager.get(f"/api/v1/budgets/{budget['id']}?mode=test").json()
    return shown


def ask(caller: Caller, **fields: Any) -> httpx.Response:
    with caller.gateway.client(caller.test_key) as http:
        body = {"model": MODEL, "messages": MESSAGES, "max_tokens": 20, **fields}
        return http.post(PATH, json=body)


def until_refused(caller: Caller, code: str) -> httpx.Response:
    """Call until a change has arrived in the gateway's memory, and the answer is this error."""
    last: list[httpx.Response] = []

    def refused() -> bool:
        last.append(ask(caller))
        return last[-1].status_code != 200

    wait_for(refused, "the limit binds", seconds=3)
    assert last[-1].json()["error"]["code"] == code, last[-1].text
    return last[-1]


def test_a_budget_of_nothing_refuses_within_a_second_and_says_what_it_is(
    caller: Caller, manager: httpx.Client
) -> None:
    assert ask(caller).status_code == 200
    make(manager, "0")

    answer = until_refused(caller, "budget_exceeded")

    assert answer.status_code == 402
    assert answer.headers["x-should-retry"] == "false"
    error = answer.json()["error"]
    assert (error["scope"], error["limit_usd"]) == ("tenant", "0")
    assert Decimal(error["needed_usd"]) > 0
    assert error["resets_at"]
    call, attempts = books.last(caller)
    assert (call.status, call.error_code, attempts) == ("refused", "budget_exceeded", [])


def test_what_is_spent_is_the_sum_of_the_attempts(caller: Caller, manager: httpx.Client) -> None:
    first = ask(caller)  # before there is a budget: its window counts it all the same
    caller.gateway.settle()
    budget = make(manager, "5", window="day")
    assert Decimal(stands(manager, budget)["spent_usd"]) == Decimal(
        first.headers["x-flo2-cost-usd"]
    )

    for number in range(5):
        assert ask(caller, stream=number % 2 == 0).status_code == 200
    caller.gateway.settle()

    with tenant_scope(caller.tenant.pk):
        rows = Attempt.objects.for_tenant(caller.tenant)
        total = sum((row.cost for row in rows if row.cost), Decimal(0))
    assert Decimal(stands(manager, budget)["spent_usd"]) == total > 0
    wait_for(lambda: stands(manager, budget)["reserved_usd"] == "0", "slices go back", seconds=5)


def test_a_request_without_a_maximum_gets_one_that_the_budget_can_pay(
    caller: Caller, manager: httpx.Client, sandbox: Sandbox
) -> None:
    make(manager, "0.01")
    body = {"model": MODEL, "messages": MESSAGES}

    def adapted() -> bool:
        with caller.gateway.client(caller.test_key) as http:
            answer = http.post(PATH, json=body)
        return "max_completion_tokens" in answer.headers.get("x-flo2-adapted-params", "")

    wait_for(adapted, "the budget is known", seconds=3)
    sent = sandbox.requests("groq")[-1]["body"]
    assert 1024 <= sent["max_completion_tokens"] < 32_768


def test_an_unpriced_model_is_left_out_where_a_hard_budget_binds(
    caller: Caller, manager: httpx.Client
) -> None:
    assert ask(caller, model="groq/nobody-prices-this").status_code == 200
    make(manager, "5")

    def refused() -> bool:
        answer = ask(caller, model="groq/nobody-prices-this")
        return answer.status_code == 402 and answer.json()["error"]["code"] == "price_unknown"

    wait_for(refused, "the budget binds", seconds=3)


def test_a_soft_budget_refuses_nothing(caller: Caller, manager: httpx.Client) -> None:
    budget = make(manager, "0.000001", mode="soft")
    for _ in range(5):
        assert ask(caller).status_code == 200
    caller.gateway.settle()
    assert Decimal(stands(manager, budget)["spent_usd"]) > Decimal("0.000001")


def test_a_raise_lets_calls_through_again(caller: Caller, manager: httpx.Client) -> None:
    budget = make(manager, "0")
    until_refused(caller, "budget_exceeded")

    answer = manager.post(f"/api/v1/budgets/{budget['id']}/raise", json={"by_usd": "1"})

    assert answer.status_code == 200
    assert answer.json()["raised_by_usd"] == "1"
    wait_for(lambda: ask(caller).status_code == 200, "the raise is known", seconds=3)
    manager.delete(f"/api/v1/budgets/{budget['id']}")
    wait_for(lambda: ask(caller).status_code == 200, "no budget binds", seconds=3)
    assert manager.get("/api/v1/budgets").json()["results"] == []


def test_a_key_says_where_it_stands(caller: Caller, manager: httpx.Client) -> None:
    make(manager, "5")
    key = record_of(caller, caller.test_key)
    from accounts import ids

    make(manager, "2", scope="key", scope_id=ids.show("key", key.pk), window="day")
    cost = Decimal(ask(caller).headers["x-flo2-cost-usd"])
    caller.gateway.settle()

    with caller.gateway.client(caller.test_key) as http:
        shown = http.get("/v1/key").json()["data"]

    assert (shown["limit"], shown["limit_reset"], shown["limit_scope"]) == (2.0, "daily", "key")
    assert Decimal(str(shown["limit_remaining"])) == 2 - cost
    assert shown["limits"]["requests_per_minute"] is None


def restrict(caller: Caller, manager: httpx.Client, **limits: int) -> None:
    from accounts import ids

    key = ids.show("key", record_of(caller, caller.test_key).pk)
    answer = manager.patch(f"/api/v1/gateway-keys/{key}", json=limits)
    assert answer.status_code == 200, answer.text
    assert {name: answer.json()[name] for name in limits} == limits

    def known() -> bool:
        with caller.gateway.client(caller.test_key) as http:
            shown = http.get("/v1/key").json()["data"]["limits"]
        return all(shown[name] == limit for name, limit in limits.items())

    wait_for(known, "the limits are known", seconds=3)


def test_requests_beyond_the_limit_are_a_429_that_says_when_to_come_back(
    caller: Caller, manager: httpx.Client
) -> None:
    restrict(caller, manager, requests_per_minute=3)
    wait_for(
        lambda: "x-ratelimit-limit-requests" in ask(caller).headers, "the key is known", seconds=3
    )

    answer = until_refused(caller, "rate_limit_exceeded")

    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 61
    assert answer.headers["x-ratelimit-limit-requests"] == "3"
    assert answer.headers["x-ratelimit-remaining-requests"] == "0"
    assert "x-should-retry" not in answer.headers


def test_of_calls_at_a_time_only_so_many_run(
    caller: Caller, manager: httpx.Client, sandbox: Sandbox
) -> None:
    restrict(caller, manager, max_parallel=2)
    asyncio.run(asyncio.sleep(0.5))  # until the feed has told the gateway

    async def crowd() -> list[int]:
        headers = {
            "Authorization": f"Bearer {caller.test_key}",
            "x-flo2-simulate": "groq=slow@20",
        }
        async with httpx.AsyncClient(
            base_url=caller.gateway.url, headers=headers, timeout=30, trust_env=False
        ) as http:
            body = {"model": MODEL, "messages": MESSAGES, "max_tokens": 20}
            sent = (http.post(PATH, json=body) for _ in range(8))
            return [answer.status_code for answer in await asyncio.gather(*sent)]

    statuses = asyncio.run(crowd())
    assert sorted(set(statuses)) == [200, 429]
    assert statuses.count(200) >= 2
    assert ask(caller).status_code == 200  # the places are free again


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"limit_usd": "-1"}, "limit_usd"),
        ({"limit_usd": "9000001"}, "limit_usd"),
        ({"limit_usd": "NaN"}, "limit_usd"),
        ({"limit_usd": "0.0000000000001"}, "limit_usd"),
        ({"window": "year"}, "window"),
        ({"scope": "project"}, "scope_id"),
        ({"scope_id": "x"}, "scope_id"),
        ({"alert_at": [1.5]}, "alert_at"),
        ({"alert_at": [0]}, "alert_at"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_cannot_be_a_budget_is_a_400_that_names_the_field(
    manager: httpx.Client, change: dict[str, Any], field: str
) -> None:
    wanted = {"scope": "tenant", "window": "month", "limit_usd": "1", **change}
    answer = manager.post("/api/v1/budgets", json=wanted)

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == field, answer.text


def test_another_tenants_budget_looks_unknown(caller: Caller, manager: httpx.Client) -> None:
    from tests.factories.accounts import TenantFactory
    from tests.factories.budgets import make_budget

    foreign = make_budget(TenantFactory.create(), "1")
    from accounts import ids

    for method in ("GET", "PATCH", "DELETE"):
        answer = manager.request(method, f"/api/v1/budgets/{ids.show('bud', foreign.pk)}", json={})
        assert answer.status_code == 404
    with tenant_scope(foreign.tenant_id):
        assert Budget.objects.for_tenant(foreign.tenant_id).count() == 1
        assert BudgetWindow.objects.for_tenant(foreign.tenant_id).count() == 2
    assert tokens.is_well_formed(caller.test_key)


def test_a_fallback_that_the_budget_cannot_pay_is_not_made(
    caller: Caller, manager: httpx.Client, sandbox: Sandbox
) -> None:
    sandbox.fail("groq", "500")
    asked = {"models": ["openai/gpt-4.1"], "max_tokens": 1000}
    assert ask(caller, **asked).headers["x-flo2-provider"] == "openai"
    budget = make(manager, "0.004")

    answers: list[httpx.Response] = []

    def refused() -> bool:
        answers.append(ask(caller, **asked))
        return answers[-1].status_code == 402

    wait_for(refused, "the budget binds", seconds=3)
    assert answers[-1].json()["error"]["code"] == "budget_exceeded"
    call, attempts = books.last(caller)
    assert (call.status, call.error_code) == ("failed", "budget_exceeded")
    assert {attempt.provider for attempt in attempts} == {"groq"}
    sandbox.heal()
    wait_for(lambda: stands(manager, budget)["reserved_usd"] == "0", "slices go back", seconds=5)
