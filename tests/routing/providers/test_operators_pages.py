"""`/admin/`: the operator adds models, addresses and prices without a release."""

from decimal import Decimal

import pytest
from allauth.mfa.models import Authenticator
from django.test import Client

from accounts.models import Change
from billing.models import OperatorPrice
from routing.models import OperatorBaseUrl, OperatorModel
from routing.providers import overrides, prices
from tests.factories.accounts import TenantFactory, UserFactory

pytestmark = pytest.mark.django_db(transaction=True)

MODELS = "/admin/routing/operatormodel/"
URLS = "/admin/routing/operatorbaseurl/"
PRICES = "/admin/billing/operatorprice/"


@pytest.fixture
def browser(client: Client) -> Client:
    user = UserFactory.create(email="ops@example.org", is_staff=True, is_superuser=True)
    Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={})
    client.force_login(user)
    return client


def test_a_model_is_added_changed_and_deleted_and_caches_are_told(browser: Client) -> None:
    form = {
        "provider": "groq",
        "model": "acme/m",
        "family": "acme-m",
        "can": ["tools"],
        "reasons": "unknown",
    }
    assert browser.post(f"{MODELS}add/", {**form, "context": "5000"}).status_code == 302

    row = OperatorModel.objects.get()
    assert (row.model, row.context, row.can, row.reasons) == ("acme/m", 5000, ["tools"], None)
    assert row.created_by == "operator: ops@example.org"

    browser.post(
        f"{MODELS}{row.pk}/change/", {**form, "can": [], "context": "6000", "reasons": "true"}
    )
    row.refresh_from_db()
    assert (row.context, row.can, row.reasons) == (6000, None, True)

    browser.post(f"{MODELS}{row.pk}/delete/", {"post": "yes"})
    assert not OperatorModel.objects.exists()
    assert Change.objects.filter(kind=overrides.KIND, tenant=None).count() == 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"provider": "acme"},
        {"model": "a b"},
        {"kind": "poem"},
        {"can": ["fly"]},
        {"provider": "custom"},
    ],
)
def test_a_model_with_a_mistake_is_not_kept(browser: Client, wrong: dict[str, str]) -> None:
    browser.post(f"{MODELS}add/", {"provider": "groq", "model": "m", "reasons": "unknown", **wrong})

    assert not OperatorModel.objects.exists()


def test_an_address_is_public_or_refused(browser: Client) -> None:
    for url in ("http://eu.groq.example.com/v1", "https://10.0.0.1/v1", "https://localhost/v1"):
        answer = browser.post(f"{URLS}add/", {"provider": "groq", "base_url": url})
        assert answer.status_code == 200
        assert not OperatorBaseUrl.objects.exists()

    browser.post(f"{URLS}add/", {"provider": "groq", "base_url": "https://eu.groq.com/v1/"})
    assert OperatorBaseUrl.objects.get().base_url == "https://eu.groq.com/v1"
    assert Change.objects.filter(kind=overrides.KIND, tenant=None).exists()


def test_a_price_is_taken_back_by_another_row(browser: Client) -> None:
    tenant = TenantFactory.create()
    form = {"provider": "groq", "model": "llama-3.1-8b-instant"}
    browser.post(f"{PRICES}add/", {**form, "input": "7", "output": "9"})
    own = prices.read(tenant.pk)[1]
    assert own["groq", "llama-3.1-8b-instant"].rates.input == Decimal(7)

    browser.post(f"{PRICES}add/", {**form, "is_withdrawn": "on"})

    assert OperatorPrice.objects.count() == 2
    assert prices.read(tenant.pk)[1] == {}
    assert "the list price again" in browser.get(PRICES).content.decode()


def test_a_price_needs_its_rates(browser: Client) -> None:
    browser.post(f"{PRICES}add/", {"provider": "groq", "model": "m", "input": "7"})

    assert not OperatorPrice.objects.exists()
