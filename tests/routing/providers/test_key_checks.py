"""Key checks of the newer providers, asked of the sandbox over HTTP as they would be in earnest."""

import asyncio

import pytest

from accounts.models import Tenant
from accounts.secret import Secret
from routing import key_checks
from routing.providers import loader
from tests.factories.accounts import TenantFactory, add_provider_key
from tests.factories.routing import OperatorBaseUrlFactory
from tests.servers.sandbox import Sandbox

BASES = {
    "deepinfra": "/deepinfra/v1/openai",
    "mistral": "/mistral/v1",
    "nvidia": "/nvidia/v1",
    "xai": "/xai/v1",
}
EVERY = pytest.mark.parametrize("slug", BASES)


@pytest.fixture(autouse=True)
def _played(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for slug, path in BASES.items():
        monkeypatch.setenv(f"FLO2_PROVIDER_{slug.upper()}_BASE_URL", sandbox.url + path)


def status_of(slug: str, key: str) -> str:
    provider = loader.load_all()[slug]
    return asyncio.run(key_checks.check(provider, Secret(key))).status


@EVERY
def test_a_key_that_works_is_found_valid(slug: str) -> None:
    assert status_of(slug, "good-key-0123456789") == "valid"


@EVERY
def test_a_wrong_key_is_found_invalid(slug: str) -> None:
    assert status_of(slug, "bad-key-0123456789") == "invalid"


@EVERY
def test_a_key_without_credit_is_not_called_invalid(slug: str) -> None:
    assert status_of(slug, "nocredit-0123456789") in {"no_credit", "valid"}


@EVERY
def test_a_check_costs_nothing(slug: str, sandbox: Sandbox) -> None:
    status_of(slug, "good-key-0123456789")

    assert sandbox.billed() == []


@EVERY
def test_a_provider_in_trouble_does_not_make_a_key_bad(slug: str, sandbox: Sandbox) -> None:
    sandbox.fail(slug, "503")

    assert status_of(slug, "good-key-0123456789") == "unverified"


@pytest.fixture
def tenant(transactional_db: None) -> Tenant:
    return TenantFactory.create()


def test_a_stored_key_is_checked_at_the_address_in_force(tenant: Tenant) -> None:
    key = add_provider_key(tenant, provider="groq")
    OperatorBaseUrlFactory.create(provider="groq", base_url="https://nobody.invalid/v1")

    finding = key_checks.ask(key, Secret("gsk_0123456789abcdef"))

    assert finding.status == "unverified"
    assert "does not lead to public addresses only" in finding.reason


def test_a_key_of_a_provider_that_is_not_offered_stays_unverified(tenant: Tenant) -> None:
    key = add_provider_key(tenant, provider="custom", base_url="https://llm.acme-corp.com/v1")

    finding = key_checks.ask(key, Secret("0123456789abcdef"))

    assert (finding.status, "custom" in finding.reason) == ("unverified", True)
