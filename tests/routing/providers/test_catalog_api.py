"""`/api/v1/catalog/…`: what is known, and a tenant's own models and prices."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts import audit, gateway_keys
from accounts.models import AuditEvent, Change, Tenant
from accounts.roles import Role
from accounts.tenancy import tenant_scope
from billing.models import PriceOverride
from routing.models import TenantModel
from routing.providers import overrides, prices
from tests.factories.accounts import MembershipFactory, TenantFactory
from tests.factories.routing import OperatorModelFactory

pytestmark = pytest.mark.django_db

MODELS = "/api/v1/catalog/models"
KNOWN = f"{MODELS}/groq/llama-3.3-70b-versatile"
OWN = f"{MODELS}/groq/acme/tuned"
PRICE = {"input": "0.5", "output": "1.25", "cache_read": "0.05"}


class Manager:
    """Somebody with a management key."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        with tenant_scope(tenant.pk):
            key = gateway_keys.issue_management_key(tenant, name="ci", actor=audit.SYSTEM)
        self._client = Client(HTTP_AUTHORIZATION=f"Bearer {key.reveal()}")

    def get(self, path: str, **query: str) -> Any:
        return self._client.get(path, query)

    def put(self, path: str, **content: Any) -> Any:
        return self._client.put(path, content, content_type="application/json")

    def delete(self, path: str) -> Any:
        return self._client.delete(path)

    def models(self, **query: str) -> list[str]:
        return [row["id"] for row in self.get(MODELS, **query).json()["results"]]

    def audited(self) -> list[tuple[str, str]]:
        with tenant_scope(self.tenant.pk):
            events = AuditEvent.objects.for_tenant(self.tenant).order_by("number")
            return [(e.action, e.subject) for e in events if e.action.startswith("catalog")]


@pytest.fixture
def manager() -> Manager:
    return Manager(TenantFactory.create())


def test_a_model_tells_its_limits_its_abilities_and_its_price_with_source_and_date(
    manager: Manager,
) -> None:
    shown = manager.get(f"{MODELS}/deepinfra/deepseek-ai/DeepSeek-V3.2").json()

    assert shown["id"] == "deepinfra/deepseek-ai/DeepSeek-V3.2"
    assert shown["family"] == "deepseek-v3.2"
    assert shown["context"] == 163840
    assert "tools" in shown["can"]
    assert shown["source"] == "catalogue"
    assert shown["price"]["source"] == "catalogue"
    assert shown["price"]["since"] == "2026-07-02"
    assert shown["price"]["input"] == "0.26"
    assert shown["price"]["output"] == "0.38"
    assert shown["price"]["cache_read"] == "0.13"
    assert shown["price"]["cache_write"] is None


def test_a_price_of_the_library_names_its_version(manager: Manager) -> None:
    assert manager.get(KNOWN).json()["price"]["source"].startswith("genai-prices ")


def test_a_model_without_a_known_price_has_none(manager: Manager) -> None:
    assert manager.get(f"{MODELS}/nvidia/google/gemma-2-2b-it").json()["price"] is None


def test_providers_are_listed_with_what_a_user_needs_to_choose(manager: Manager) -> None:
    listed = {
        row["slug"]: row for row in manager.get("/api/v1/catalog/providers").json()["results"]
    }

    assert "custom" not in listed
    assert listed["mistral"]["label"] == "Mistral"
    assert listed["mistral"]["models"] > 20
    assert listed["mistral"]["keys_url"].startswith("https://")


def test_models_are_listed_page_by_page_each_once(manager: Manager) -> None:
    every = manager.models(provider="mistral", limit="1000")

    found, cursor = [], ""
    while True:
        page = manager.get(MODELS, provider="mistral", limit="7", cursor=cursor).json()
        found += [row["id"] for row in page["results"]]
        cursor = page["next"]
        if cursor is None:
            break

    assert found == every == sorted(set(every))
    assert len(every) > 20


def test_models_are_found_by_a_part_of_their_name_and_by_kind(manager: Manager) -> None:
    assert "xai/grok-4.3" in manager.models(q="GROK-4", provider="xai")
    embeddings = manager.models(kind="embedding", provider="mistral")
    assert embeddings == ["mistral/codestral-embed", "mistral/mistral-embed"]


@pytest.mark.parametrize(
    "query", [{"limit": "0"}, {"limit": "x"}, {"limit": "1001"}, {"modle": "a"}]
)
def test_a_query_that_cannot_be_meant_is_refused(manager: Manager, query: dict[str, str]) -> None:
    answer = manager.get(MODELS, **query)

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] in query


def test_a_tenant_adds_a_model_with_its_price(manager: Manager) -> None:
    answer = manager.put(
        OWN, family="acme", context=32000, output=4000, can=["tools", "image"], price=PRICE
    )

    assert answer.status_code == 200
    shown = answer.json()
    assert (shown["id"], shown["source"]) == ("groq/acme/tuned", "tenant")
    assert (shown["context"], shown["output"]) == (32000, 4000)
    assert shown["can"] == ["image", "tools"]
    assert shown["price"]["source"] == "tenant"
    assert {name: shown["price"][name] for name in PRICE} == PRICE
    assert manager.get(OWN).json() == shown
    assert "groq/acme/tuned" in manager.models(q="acme")
    assert manager.audited() == [("catalog_model.set", "groq/acme/tuned")]


def test_what_a_tenant_adds_is_in_force_for_its_calls(
    manager: Manager, transactional_db: None
) -> None:
    tenant = manager.tenant.pk
    today = timezone.now().date()
    manager.put(OWN, context=32000, price=PRICE)

    overrides.load(tenant)
    prices.load(tenant)

    assert overrides.catalog(tenant).knows("acme/tuned")
    price = prices.in_force(tenant, "groq", "acme/tuned", today=today)
    assert price is not None
    assert price.rates.output == Decimal("1.25")


def test_caches_are_told_of_a_change(manager: Manager) -> None:
    manager.put(OWN, price=PRICE)

    kinds = Change.objects.filter(tenant=manager.tenant.pk).values_list("kind", flat=True)
    assert {overrides.KIND, prices.KIND} <= set(kinds)


def test_a_price_alone_describes_nothing(manager: Manager) -> None:
    shown = manager.put(KNOWN, price=PRICE).json()

    assert shown["source"] == "catalogue"
    assert shown["price"]["source"] == "tenant"
    with tenant_scope(manager.tenant.pk):
        assert not TenantModel.objects.for_tenant(manager.tenant).exists()


def test_a_put_stands_in_place_of_all_that_was_said_before(manager: Manager) -> None:
    manager.put(KNOWN, context=1000, price=PRICE)

    shown = manager.put(KNOWN, output=99).json()

    assert (shown["context"], shown["output"]) == (131072, 99)
    assert shown["price"]["source"].startswith("genai-prices ")


def test_rows_of_prices_are_added_and_never_changed(manager: Manager) -> None:
    manager.put(KNOWN, price=PRICE)
    manager.put(KNOWN, price=PRICE)
    manager.put(KNOWN, price={**PRICE, "input": "7"})
    manager.delete(KNOWN)

    with tenant_scope(manager.tenant.pk):
        rows = PriceOverride.objects.for_tenant(manager.tenant).order_by("created_at", "id")
        assert [bool(row.price) for row in rows] == [True, True, False]
    assert manager.get(KNOWN).json()["price"]["source"].startswith("genai-prices ")


def test_an_alias_means_the_model_behind_it(manager: Manager) -> None:
    shown = manager.put(f"{MODELS}/xai/grok-4", context=7000).json()

    assert shown["model"] == "grok-4-0709"
    assert manager.get(f"{MODELS}/xai/grok-4").json()["context"] == 7000
    assert manager.delete(f"{MODELS}/xai/grok-4-latest").status_code == 204
    assert manager.get(f"{MODELS}/xai/grok-4").json()["context"] == 256000


def test_what_was_said_can_be_taken_back_once(manager: Manager) -> None:
    manager.put(OWN, context=1000, price=PRICE)

    assert manager.delete(OWN).status_code == 204
    assert manager.get(OWN).status_code == 404
    assert manager.delete(OWN).status_code == 404
    assert manager.audited() == [
        ("catalog_model.set", "groq/acme/tuned"),
        ("catalog_model.removed", "groq/acme/tuned"),
    ]


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({"contxt": 5}, "contxt"),
        ({"context": 0}, "context"),
        ({"context": "many"}, "context"),
        ({"kind": "poem"}, "kind"),
        ({"can": ["fly"]}, "can.0"),
        ({"family": "a b"}, None),
        ({"price": {"input": "1"}}, "price.output"),
        ({"price": {"input": "-1", "output": "1"}}, "price.input"),
        ({"price": {"input": "0.0000001", "output": "1"}}, "price.input"),
        ({"price": {"input": "1", "output": "1", "cached": "1"}}, "price.cached"),
    ],
)
def test_a_mistake_is_named_by_its_field_and_changes_nothing(
    manager: Manager, content: dict[str, Any], field: str | None
) -> None:
    answer = manager.put(OWN, **content)

    assert answer.status_code == 400
    assert field is None or field in answer.json()["error"]["fields"]
    assert manager.get(OWN).status_code == 404
    assert manager.audited() == []


def test_a_model_of_an_unknown_provider_is_refused_with_those_that_are_known(
    manager: Manager,
) -> None:
    answer = manager.put(f"{MODELS}/acme/m", context=5)

    assert answer.status_code == 400
    assert "mistral" in answer.json()["error"]["message"]


def test_a_name_that_could_not_be_called_is_refused(manager: Manager) -> None:
    assert manager.put(f"{MODELS}/groq/a%20b", context=5).status_code == 400


def test_a_tenant_sees_the_operators_models_and_not_another_tenants(manager: Manager) -> None:
    OperatorModelFactory.create(model="acme/shared")
    stranger = Manager(TenantFactory.create())
    stranger.put(OWN, context=5, price=PRICE)

    assert manager.get(f"{MODELS}/groq/acme/shared").json()["source"] == "operator"
    assert manager.get(OWN).status_code == 404
    assert manager.delete(OWN).status_code == 404
    assert stranger.get(OWN).status_code == 200


def test_a_viewer_reads_and_does_not_change(client: Client) -> None:
    membership = MembershipFactory.create(role=Role.VIEWER)
    client.force_login(membership.user)

    assert client.get(KNOWN).status_code == 200
    answer = client.put(KNOWN, {"context": 5}, content_type="application/json")
    assert answer.status_code == 403


def test_nobody_is_told_anything_without_a_credential(client: Client) -> None:
    assert client.get(MODELS).status_code == 401
