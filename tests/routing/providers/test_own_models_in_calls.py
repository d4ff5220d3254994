"""From saying it to calling it: a tenant's model, its price and the operator's, with no restart."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal

import httpx
import pytest

from accounts import audit, changes
from accounts.models import Tenant
from accounts.tenancy import tenant_scope
from billing.pricing import Rates
from routing.models import OperatorBaseUrl, OperatorModel
from routing.providers import overrides, own_models
from routing.providers.own_models import Description
from tests.factories.accounts import TenantFactory, add_provider_key, issue_gateway_key
from tests.servers.gateway import Gateway, wait_for
from tests.servers.sandbox import Sandbox

Clients = Callable[..., httpx.Client]
ASK = {"messages": [{"role": "user", "content": "Say hi"}], "max_tokens": 8}


def describe(tenant: Tenant, model: str, rates: Rates | None = None, **said: object) -> None:
    with tenant_scope(tenant.pk):
        own_models.put(
            tenant,
            provider="groq",
            model=model,
            said=Description(**said),  # type: ignore[arg-type]
            rates=rates,
            actor=audit.SYSTEM,
        )


@pytest.fixture
def tenant(gateway: Gateway) -> Tenant:
    return TenantFactory.create()


@pytest.fixture
def client_of(gateway: Gateway) -> Iterator[Clients]:
    """Clients with a key of a tenant, closed in the end."""
    with ExitStack() as opened:

        def make(tenant: Tenant, mode: str = "test") -> httpx.Client:
            key = issue_gateway_key(tenant, mode=mode).text.reveal()
            return opened.enter_context(gateway.client(key))

        yield make


def test_a_model_is_called_within_a_second_of_being_described(
    client_of: Clients, sandbox: Sandbox, tenant: Tenant
) -> None:
    client = client_of(tenant)
    stranger = client_of(TenantFactory.create())
    call = {**ASK, "model": "acme-tuned"}
    assert client.post("/v1/chat/completions", json=call).status_code == 404

    price = Rates(input=Decimal(1000), output=Decimal(2000))
    describe(tenant, "acme/tuned", price, family="acme-tuned", context=5000)
    wait_for(lambda: client.post("/v1/chat/completions", json=call).status_code == 200, "it is in")

    answer = client.post("/v1/chat/completions", json=call)
    assert answer.headers["x-flo2-provider"] == "groq"
    assert answer.headers["x-flo2-model"] == "acme/tuned"
    usage = answer.json()["usage"]
    expected = usage["prompt_tokens"] * 0.001 + usage["completion_tokens"] * 0.002
    assert usage["cost"] == pytest.approx(expected)
    assert sandbox.requests("groq")[-1]["path"].endswith("/chat/completions")
    assert stranger.post("/v1/chat/completions", json=call).status_code == 404


def test_a_context_that_a_tenant_sets_is_kept_by_the_plan(
    client_of: Clients, tenant: Tenant
) -> None:
    client = client_of(tenant)
    call = {**ASK, "model": "groq/llama-3.3-70b-versatile", "max_tokens": 3000}
    assert client.post("/v1/chat/completions", json=call).status_code == 200

    describe(tenant, "llama-3.3-70b-versatile", context=2000)

    def refused() -> bool:
        answer = client.post("/v1/chat/completions", json=call)
        return bool(answer.json().get("error", {}).get("code") == "context_length_exceeded")

    wait_for(refused, "the new context is in force")


def test_the_operators_models_and_addresses_are_in_force_without_a_restart(
    client_of: Clients, tenant: Tenant
) -> None:
    add_provider_key(tenant)
    client = client_of(tenant, "live")
    call = {**ASK, "model": "acme-shared"}
    assert client.post("/v1/chat/completions", json=call).status_code == 404

    OperatorModel.objects.create(provider="groq", model="acme/shared", family="acme-shared")
    OperatorBaseUrl.objects.create(provider="groq", base_url="https://nobody.invalid/v1")
    changes.record(overrides.KIND, tenant=None)
    wait_for(lambda: client.post("/v1/chat/completions", json=call).status_code != 404, "it is in")

    answer = client.post("/v1/chat/completions", json=call)
    assert answer.status_code == 502  # and not what api.groq.com would say to an invented key
    assert answer.json()["error"]["code"] == "provider_error"
