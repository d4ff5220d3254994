"""`custom`: a tenant's own endpoint, where the operator allows it."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from accounts import audit, gateway_keys
from accounts.models import ProviderKey, Tenant
from accounts.tenancy import tenant_scope
from routing.providers import catalog_index, loader
from routing.upstream import endpoints
from tests.factories.accounts import TenantFactory

URL = "https://llm.acme-corp.com/v1"
KEYS = "/api/v1/provider-keys"


@pytest.fixture
def allowed(settings: Any) -> Iterator[None]:
    settings.FLO2_ALLOW_CUSTOM = True
    catalog_index.current.cache_clear()
    yield
    catalog_index.current.cache_clear()


@pytest.fixture
def tenant(db: None) -> Tenant:
    return TenantFactory.create()


@pytest.fixture
def manager(tenant: Tenant) -> Client:
    with tenant_scope(tenant.pk):
        key = gateway_keys.issue_management_key(tenant, name="ci", actor=audit.SYSTEM)
    return Client(HTTP_AUTHORIZATION=f"Bearer {key.reveal()}")


def post(manager: Client, **content: str) -> Any:
    key = {"provider": "custom", "secret": "a-secret-of-ours", **content}
    return manager.post(KEYS, key, content_type="application/json")


def test_without_the_operators_leave_there_is_no_such_provider(manager: Client) -> None:
    assert "custom" not in catalog_index.current().providers
    answer = post(manager, base_url=URL)

    assert answer.status_code == 400
    assert "provider" in answer.json()["error"]["fields"]


def test_a_key_names_its_own_address(allowed: None, manager: Client, tenant: Tenant) -> None:
    answer = post(manager, base_url=f"{URL}/")

    assert answer.status_code == 201
    assert answer.json()["base_url"] == URL
    assert answer.json()["status"] == "unverified"  # nobody is at that address
    with tenant_scope(tenant.pk):
        assert ProviderKey.objects.for_tenant(tenant).get().base_url == URL


@pytest.mark.parametrize(
    "url",
    [
        "", "http://llm.acme-corp.com/v1", "https://127.0.0.1/v1", "https://10.0.0.1/v1",
        "https://localhost/v1", "https://[::1]/v1", "https://metadata.google.internal/v1",
        "https://169.254.169.254/v1", "https://llm.acme-corp.com:22/v1", "llm.acme-corp.com",
        "https://user@llm.acme-corp.com/v1", "https://custom.invalid/v1",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_refused(
    allowed: None, manager: Client, tenant: Tenant, url: str
) -> None:
    answer = post(manager, **({"base_url": url} if url else {}))

    assert answer.status_code == 400
    assert "base_url" in answer.json()["error"]["fields"]
    with tenant_scope(tenant.pk):
        assert not ProviderKey.objects.for_tenant(tenant).exists()


def test_a_provider_of_the_catalogue_takes_no_address(allowed: None, manager: Client) -> None:
    answer = post(manager, provider="groq", base_url=URL)

    assert answer.status_code == 400
    assert "base_url" in answer.json()["error"]["fields"]


def test_calls_go_to_the_keys_address_and_it_is_checked_at_every_connect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FLO2_PROVIDER_CUSTOM_BASE_URL", "http://10.0.0.1/v1")

    endpoint = endpoints.live(loader.load_all()["custom"], URL)

    assert (endpoint.host, endpoint.path) == (b"llm.acme-corp.com", b"/v1")
    assert endpoint.origin.guarded


def test_a_key_without_an_address_reaches_nothing() -> None:
    endpoint = endpoints.live(loader.load_all()["custom"])

    assert endpoint.host.endswith(b".invalid")
    assert endpoint.origin.guarded


def test_the_keys_address_is_of_no_use_for_other_providers() -> None:
    assert endpoints.live(loader.load_all()["groq"], URL).host == b"api.groq.com"


@pytest.mark.parametrize("model", ["anything", "org/model-7b", "ft:x:y"])
def test_any_model_is_reached_by_the_providers_name(allowed: None, model: str) -> None:
    offer = catalog_index.current().pinned(f"custom/{model}")

    assert offer is not None
    assert (offer.provider.slug, offer.model_id, offer.model) == ("custom", model, None)


def test_without_the_operators_leave_the_name_pins_nothing() -> None:
    assert catalog_index.current().pinned("custom/anything") is None
