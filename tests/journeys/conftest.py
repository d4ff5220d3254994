"""People and keys that journeys begin with."""

from dataclasses import dataclass

import pytest
from openai import OpenAI
from openai.types.chat import ChatCompletionMessageParam

from accounts import audit, gateway_keys, provider_keys, signup
from accounts.gateway_keys import KeyTerms
from accounts.models import Tenant, User
from accounts.secret import Secret
from accounts.tenancy import tenant_scope
from tests.servers.gateway import Gateway
from tests.servers.sandbox import Sandbox

MESSAGES: list[ChatCompletionMessageParam] = [
    {"role": "system", "content": "You are terse."},
    {"role": "user", "content": "Say hi"},
]


@dataclass(frozen=True)
class Caller:
    """A tenant with keys, and ways to call."""

    tenant: Tenant
    test_key: str
    live_key: str
    gateway: Gateway

    def openai(self, *, live: bool = False) -> OpenAI:
        key = self.live_key if live else self.test_key
        return OpenAI(base_url=f"{self.gateway.url}/v1", api_key=key, max_retries=0)


@pytest.fixture
def caller(gateway: Gateway) -> Caller:
    """A new tenant with a test key, and a live key that reaches nobody yet."""
    return new_caller(gateway)


def new_caller(gateway: Gateway, email: str = "owner@example.org") -> Caller:
    user = User.objects.create_user(email, "a good long password")
    tenant = signup.create_tenant(user, name="Acme")
    actor = audit.person(user)
    with tenant_scope(tenant.pk):
        test, live = (
            gateway_keys.issue(tenant, KeyTerms(name=mode, mode=mode), actor=actor).text.reveal()
            for mode in ("test", "live")
        )
    return Caller(tenant, test, live, gateway)


@pytest.fixture
def live_caller(caller: Caller, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Caller:
    """A tenant whose live key reaches three providers, all played by the sandbox."""
    bases = {"groq": "/groq/openai/v1", "cerebras": "/cerebras/v1", "openai": "/openai/v1"}
    for slug, path in bases.items():
        monkeypatch.setenv(f"FLO2_PROVIDER_{slug.upper()}_BASE_URL", sandbox.url + path)
        with tenant_scope(caller.tenant.pk):
            provider_keys.add(
                caller.tenant,
                provider=slug,
                secret=Secret(f"good-{slug}-0123456789"),
                actor=audit.SYSTEM,
            )
    return caller
