"""`/admin/`: for operators, with two steps, across tenants, and never a secret."""

from datetime import datetime
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts import gateway_keys, invitations, operator_audit
from accounts.audit import SYSTEM
from accounts.errors import Conflict
from accounts.gateway_keys import KeyTerms
from accounts.models import AuditEvent, OperatorEvent, ProviderKey, Tenant
from accounts.operator_site import site
from accounts.tenancy import tenant_scope
from billing import pricing, rollups
from billing.models import OperatorPrice
from tests.dashboard.conftest import LogIn, World
from tests.dashboard.reading import text
from tests.factories.accounts import UserFactory

TENANTS = "/admin/accounts/tenant/"


def lists() -> list[str]:
    return [f"/admin/{model._meta.app_label}/{model._meta.model_name}/" for model in site._registry]


def test_members_of_tenants_find_nothing(owner: Client) -> None:
    for path in ("/admin/", "/admin/login/", *lists()):
        answer = owner.get(path, follow=True)
        assert "flo2 operator" not in answer.content.decode()
    assert owner.get(TENANTS).status_code == 404


@pytest.mark.django_db
def test_visitors_log_in_where_everybody_does(client: Client) -> None:
    assert client.get(TENANTS)["Location"] == f"/accounts/login/?next={TENANTS}"
    assert client.get("/admin/login/")["Location"].startswith("/accounts/login/")


def test_an_operator_needs_two_steps(db: None, log_in: LogIn, settings: Any) -> None:
    browser = log_in(UserFactory.create(is_staff=True, is_superuser=True))

    assert browser.get(TENANTS)["Location"] == "/accounts/2fa/totp/activate/"

    settings.FLO2_DEMO = True
    assert browser.get(TENANTS).status_code == 200


def test_the_list_of_tenants_tells_what_they_use(browser: Client, world: World) -> None:
    rollups.add_up()

    said = text(browser.get(TENANTS))

    assert "Acme" in said
    assert "active" in said
    assert "$0.002" in said


@pytest.mark.parametrize("path", lists())
def test_every_list_opens_and_holds_no_secret(path: str, browser: Client, world: World) -> None:
    page = browser.get(path)

    assert page.status_code == 200
    body = page.content.decode()
    with tenant_scope(world.tenant.pk):
        sealed = bytes(ProviderKey.objects.for_tenant(world.tenant).get().sealed_secret)
    assert "gsk_0123456789abcdef" not in body
    assert sealed.hex() not in body
    assert bytes(world.key.digest).hex() not in body
    assert world.owner.password not in body


def test_single_rows_open_too(browser: Client, world: World) -> None:
    for path in (
        f"{TENANTS}{world.tenant.pk}/change/",
        f"/admin/accounts/user/{world.owner.pk}/change/",
        f"/admin/accounts/gatewaykey/{world.key.pk}/change/",
        f"/admin/accounts/providerkey/{world.provider_key.pk}/change/",
        f"/admin/accounts/managementkey/{world.management_key.pk}/change/",
    ):
        answer = browser.get(path)
        assert answer.status_code == 200, path
        assert world.owner.password not in answer.content.decode()
        assert 'name="_save"' not in answer.content.decode(), path


def test_a_tenant_is_suspended_with_a_reason_and_restored(browser: Client, world: World) -> None:
    path = f"{TENANTS}{world.tenant.pk}"
    assert "every call with its gateway keys is refused" in text(browser.get(f"{path}/suspend/"))
    assert "This field is required" in text(browser.post(f"{path}/suspend/", {"reason": ""}))

    browser.post(f"{path}/suspend/", {"reason": "abuse"})
    world.tenant.refresh_from_db()
    assert world.tenant.suspended_reason == "abuse"

    assert "abuse" in text(browser.get(f"{path}/restore/"))
    assert "This field is required" in text(browser.post(f"{path}/restore/", {"reason": ""}))
    browser.post(f"{path}/restore/", {"reason": "sorted out"})
    world.tenant.refresh_from_db()
    assert not world.tenant.is_suspended

    with tenant_scope(world.tenant.pk):
        events = AuditEvent.objects.for_tenant(world.tenant).order_by("number")
        acts = [(e.actor, e.action, e.subject) for e in events if e.action.startswith("tenant.")]
    assert acts == [
        ("operator: ops@example.org", "tenant.suspended", "abuse"),
        ("operator: ops@example.org", "tenant.restored", "sorted out"),
    ]
    own = OperatorEvent.objects.order_by("number")
    assert [(e.actor, e.action, e.subject) for e in own] == acts
    assert own[0].details["of_tenant"]["name"] == "Acme"
    assert operator_audit.first_broken() is None


def test_limits_of_the_operator_bind_the_tenant(browser: Client, world: World) -> None:
    path = f"{TENANTS}{world.tenant.pk}/limits/"
    given = {"most_keys": "1", "most_members": "5", "key_requests_per_minute": "7"}

    assert "greater than or equal to 1" in text(browser.post(path, {**given, "most_keys": "0"}))
    browser.post(path, given)

    assert "keys 1, members 5, requests/min 7" in text(browser.get(TENANTS))
    tenant = Tenant.objects.get(pk=world.tenant.pk)
    with tenant_scope(tenant.pk):
        with pytest.raises(Conflict, match="allows 1 gateway key here"):
            gateway_keys.issue(tenant, KeyTerms(name="Second", mode="test"), actor=SYSTEM)
        with pytest.raises(Conflict, match="allows 5 members here"):
            invitations.invite(
                tenant, email="six@example.org", role="viewer", actor=SYSTEM, now=timezone.now()
            )
        event = AuditEvent.objects.for_tenant(tenant).first()
    assert event is not None
    assert (event.action, event.details["most_keys"]) == ("tenant.limited", 1)
    browser.post(path, {})
    assert Tenant.objects.get(pk=world.tenant.pk).most_keys is None


def test_a_price_of_the_operator_is_added_and_never_changed(
    browser: Client, db: None, now: datetime
) -> None:
    path = "/admin/billing/operatorprice/"
    form = {"provider": "groq", "model": "new-model", "input": "0.5", "output": "1.5"}

    answer = browser.post(f"{path}add/", form, follow=True)

    assert answer.status_code == 200
    row = OperatorPrice.objects.get()
    price = pricing.from_json(row.price)
    assert (price.source, str(price.rates.input), str(price.rates.output)) == (
        "operator", "0.5", "1.5",
    )  # fmt: skip
    assert row.created_by == "operator: ops@example.org"
    changed = browser.post(f"{path}{row.pk}/change/", {**form, "input": "9"})
    assert changed.status_code == 403
    assert "in 0.5, out 1.5" in text(browser.get(path))


def test_a_price_that_cannot_be_charged_exactly_is_refused(browser: Client, db: None) -> None:
    form = {"provider": "groq", "model": "m", "input": "0.00000001", "output": "1"}

    answer = browser.post("/admin/billing/operatorprice/add/", form)

    assert "cannot be charged exactly" in text(answer)
    assert not OperatorPrice.objects.exists()


def test_only_the_admin_has_a_softer_policy(browser: Client, world: World) -> None:
    assert "'unsafe-eval'" in browser.get(TENANTS)["Content-Security-Policy"]
    assert "unsafe" not in browser.get("/")["Content-Security-Policy"]


def test_nothing_can_be_deleted(browser: Client, world: World) -> None:
    assert browser.post(f"{TENANTS}{world.tenant.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Tenant.objects.filter(pk=world.tenant.pk).exists()
