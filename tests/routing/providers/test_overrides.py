"""What the operator and tenants add to the catalogue: who sees it, when, and in place of what."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from accounts import changes
from accounts.models import Tenant
from accounts.tenancy import tenant_scope
from billing import pricing
from billing.models import PriceOverride
from billing.pricing import Price, Rates
from routing.providers import catalog_index, loader, overrides, prices
from routing.providers.catalog_index import Catalog, Offer
from routing.upstream import endpoints
from tests.factories.accounts import TenantFactory
from tests.factories.routing import (
    OperatorBaseUrlFactory,
    OperatorModelFactory,
    TenantModelFactory,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def tenant() -> Tenant:
    return TenantFactory.create()


def loaded(tenant: Tenant) -> Catalog:
    overrides.load(tenant.pk)
    return overrides.catalog(tenant.pk)


def targets(offers: tuple[Offer, ...]) -> list[str]:
    return [offer.target for offer in offers]


def test_a_tenants_model_is_found_by_its_id_and_by_its_family(tenant: Tenant) -> None:
    TenantModelFactory.create(tenant=tenant, model="acme/tuned", family="acme-tuned", context=9000)

    catalog = loaded(tenant)

    pinned = catalog.pinned("groq/acme/tuned")
    assert pinned is not None
    assert pinned.model is not None
    assert pinned.model.context == 9000
    assert targets(catalog.offers("acme-tuned")) == ["groq/acme/tuned"]
    assert targets(catalog.offers("acme/tuned")) == ["groq/acme/tuned"]
    assert "acme/tuned" in [model.id for model in catalog.providers["groq"].models]


def test_nobody_else_sees_a_tenants_model(tenant: Tenant) -> None:
    TenantModelFactory.create(tenant=tenant, model="acme/tuned", family="acme-tuned")
    loaded(tenant)

    for catalog in (loaded(TenantFactory.create()), catalog_index.current()):
        assert catalog.offers("acme-tuned") == ()
        assert not catalog.knows("acme/tuned")
        assert "acme/tuned" not in [model.id for model in catalog.providers["groq"].models]


def test_a_tenants_word_stands_over_the_operators_and_that_over_the_release(
    tenant: Tenant,
) -> None:
    known = catalog_index.current().find("groq", "llama-3.3-70b-versatile")
    assert known is not None
    OperatorModelFactory.create(model=known.model_id, context=1000, output=500)
    TenantModelFactory.create(tenant=tenant, model=known.model_id, context=2000)

    mine = loaded(tenant).find("groq", known.model_id)
    others = loaded(TenantFactory.create()).find("groq", known.model_id)

    assert mine is not None
    assert mine.model is not None
    assert known.model is not None
    assert (mine.model.context, mine.model.output) == (2000, 500)
    assert (mine.model.family, mine.model.can) == (known.model.family, known.model.can)
    assert others is not None
    assert others.model is not None
    assert (others.model.context, others.model.output) == (1000, 500)


def test_a_replaced_model_is_offered_once(tenant: Tenant) -> None:
    TenantModelFactory.create(tenant=tenant, model="llama-3.3-70b-versatile", context=5)
    before = targets(catalog_index.current().offers("llama-3.3-70b"))

    catalog = loaded(tenant)

    assert sorted(targets(catalog.offers("llama-3.3-70b"))) == sorted(before)
    chosen = [offer for offer in catalog.auto if offer.model_id == "llama-3.3-70b-versatile"]
    assert [offer.model.context for offer in chosen if offer.model] == [5]


def test_a_model_that_moved_to_another_family_left_its_old_one(tenant: Tenant) -> None:
    TenantModelFactory.create(tenant=tenant, model="llama-3.3-70b-versatile", family="mine")

    catalog = loaded(tenant)

    assert targets(catalog.offers("mine")) == ["groq/llama-3.3-70b-versatile"]
    assert "groq/llama-3.3-70b-versatile" not in targets(catalog.offers("llama-3.3-70b"))


def test_a_model_of_a_provider_that_is_gone_does_no_harm(tenant: Tenant) -> None:
    TenantModelFactory.create(tenant=tenant, provider="bygone", model="m")

    assert "bygone" not in loaded(tenant).providers


def test_a_change_is_seen_once_it_was_announced_and_read(tenant: Tenant) -> None:
    loaded(tenant)
    TenantModelFactory.create(tenant=tenant, model="acme/later")
    assert overrides.is_loaded(tenant.pk)

    changes.announce(overrides.KIND, tenant.pk, None)

    assert not overrides.is_loaded(tenant.pk)
    assert loaded(tenant).knows("acme/later")


def test_a_change_of_the_operators_reaches_every_tenant(tenant: Tenant) -> None:
    TenantModelFactory.create(tenant=tenant, model="acme/tuned")
    loaded(tenant)
    OperatorModelFactory.create(model="acme/shared")

    changes.announce(overrides.KIND, None, None)

    assert not overrides.is_loaded(tenant.pk)
    catalog = loaded(tenant)
    assert catalog.knows("acme/shared")
    assert catalog.knows("acme/tuned")


def test_what_was_taken_back_is_gone_after_the_next_read(tenant: Tenant) -> None:
    row = TenantModelFactory.create(tenant=tenant, model="acme/tuned")
    shared = OperatorModelFactory.create(model="acme/shared")
    loaded(tenant)

    with tenant_scope(tenant.pk):
        row.delete()
    shared.delete()
    changes.announce(overrides.KIND, None, None)

    catalog = loaded(tenant)
    assert not catalog.knows("acme/tuned")
    assert not catalog.knows("acme/shared")


def test_the_operators_address_replaces_the_catalogues_and_is_guarded(tenant: Tenant) -> None:
    groq = loader.load_all()["groq"]
    assert endpoints.live(groq).host == b"api.groq.com"
    OperatorBaseUrlFactory.create(provider="groq", base_url="https://eu.groq.example.com/v9")

    loaded(tenant)

    endpoint = endpoints.live(groq)
    assert (endpoint.host, endpoint.path) == (b"eu.groq.example.com", b"/v9")
    assert endpoint.origin.guarded


def test_an_announced_change_does_not_send_calls_to_the_replaced_address(tenant: Tenant) -> None:
    OperatorBaseUrlFactory.create(provider="groq", base_url="https://eu.groq.example.com/v9")
    loaded(tenant)

    changes.announce(overrides.KIND, None, None)

    assert endpoints.live(loader.load_all()["groq"]).host == b"eu.groq.example.com"


def test_the_environment_stands_over_the_operators_row(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    OperatorBaseUrlFactory.create(provider="groq")
    loaded(tenant)
    monkeypatch.setenv("FLO2_PROVIDER_GROQ_BASE_URL", "http://10.0.0.1:8080/v1")

    endpoint = endpoints.live(loader.load_all()["groq"])

    assert endpoint.host == b"10.0.0.1:8080"
    assert not endpoint.origin.guarded


def test_reading_for_a_page_keeps_nothing_in_memory(tenant: Tenant) -> None:
    TenantModelFactory.create(tenant=tenant, model="acme/tuned")

    with tenant_scope(tenant.pk):
        assert overrides.read(tenant.pk).knows("acme/tuned")

    assert not overrides.is_loaded(tenant.pk)
    assert not overrides.catalog(tenant.pk).knows("acme/tuned")


def test_a_change_in_the_middle_of_a_call_does_not_let_it_be_charged_at_list_price(
    tenant: Tenant,
) -> None:
    """What was known serves until it was read again."""
    model = ("groq", "llama-3.3-70b-versatile")
    price = Price(source="tenant", rates=Rates(Decimal(7), Decimal(7)))
    with tenant_scope(tenant.pk):
        text = pricing.to_json(price).decode()
        PriceOverride.objects.for_tenant(tenant).create(
            tenant=tenant, provider=model[0], model=model[1], price=text, created_by="me"
        )
    prices.load(tenant.pk)

    changes.announce(prices.KIND, tenant.pk, None)

    assert not prices.is_loaded(tenant.pk)
    assert prices.in_force(tenant.pk, *model, today=datetime.now(UTC).date()) == price
