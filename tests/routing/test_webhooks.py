"""Webhooks: told once of each alert, signed, tried again, given up in the end."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts import audit, gateway_keys, ids, vault
from accounts.models import AuditEvent, Tenant
from accounts.secret import Secret
from accounts.tenancy import tenant_scope
from billing import webhooks
from billing.models import Budget, Webhook, WebhookDelivery
from routing import deliveries, tasks
from tests.factories.accounts import ProjectFactory, TenantFactory
from tests.factories.billing import AttemptEndedFactory, book_call
from tests.factories.budgets import make_budget
from tests.servers.receiver import Receiver, receiving

pytestmark = pytest.mark.django_db(transaction=True)
PATH = "/hook/with-a-token/"


@pytest.fixture
def tenant() -> Tenant:
    return TenantFactory.create(name="Acme")


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    with receiving() as one:
        settings.FLO2_WEBHOOK_ORIGINS = [one.origin]
        yield one


@pytest.fixture
def manager(tenant: Tenant) -> Client:
    with tenant_scope(tenant.pk):
        key = gateway_keys.issue_management_key(tenant, name="ci", actor=audit.SYSTEM)
    return Client(HTTP_AUTHORIZATION=f"Bearer {key.reveal()}")


def make(
    tenant: Tenant, receiver: Receiver, budget: Budget | None = None
) -> tuple[Webhook, Secret]:
    with tenant_scope(tenant.pk):
        return webhooks.create(
            tenant,
            url=deliveries.checked(receiver.origin + PATH),
            budget=budget,
            actor=audit.SYSTEM,
            now=timezone.now(),
        )


def spend(tenant: Tenant, amount: str, **opened: Any) -> None:
    at = int(timezone.now().timestamp() * 1000)
    attempt = AttemptEndedFactory.build(call="x" * 22, cost=Decimal(amount))
    book_call(tenant, attempts=[attempt], opened_at=at, **opened)


def log_of(tenant: Tenant) -> list[WebhookDelivery]:
    with tenant_scope(tenant.pk):
        return webhooks.last_deliveries(tenant)


def hook_of(tenant: Tenant) -> Webhook:
    with tenant_scope(tenant.pk):
        [hook] = webhooks.listed(tenant)
        return hook


def is_signed(headers: dict[str, str], body: bytes, secret: Secret) -> bool:
    """As the documentation tells receivers to check it."""
    key = base64.b64decode(secret.reveal().removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return hmac.compare_digest(headers["webhook-signature"], f"v1,{expected}")


class TestTelling:
    def test_an_alert_is_told_once_and_signed(self, tenant: Tenant, receiver: Receiver) -> None:
        make_budget(tenant, "10", alert_at=[0.5, 0.8])
        _, secret = make(tenant, receiver)
        spend(tenant, "6")

        assert [tasks.send_webhooks(), tasks.send_webhooks()] == [1, 0]

        [got] = receiver.received
        assert got.path == PATH
        assert is_signed(got.headers, got.body, secret)
        assert not is_signed(got.headers, got.body + b" ", secret)
        assert abs(int(got.headers["webhook-timestamp"]) - timezone.now().timestamp()) < 60
        said = json.loads(got.body)
        assert said["type"] == "budget.alert"
        assert {name: said["data"][name] for name in ("percent", "spent_usd", "limit_usd")} == {
            "percent": 50, "spent_usd": "6", "limit_usd": "10",
        }  # fmt: skip
        assert (said["data"]["scope"], said["data"]["calls"]) == ("tenant", "live")
        [row] = log_of(tenant)
        assert (row.status, row.http_status, row.tries) == ("delivered", 204, 1)

    def test_a_webhook_of_one_budget_hears_of_no_other(
        self, tenant: Tenant, receiver: Receiver
    ) -> None:
        project = ProjectFactory.create(tenant=tenant, name="shop")
        make_budget(tenant, "1", alert_at=[1.0])
        watched = make_budget(tenant, "2", alert_at=[1.0], subject=project)
        make(tenant, receiver, watched)
        stranger = TenantFactory.create()
        make_budget(stranger, "1", alert_at=[1.0])
        spend(stranger, "5")
        spend(tenant, "1")
        tasks.send_webhooks()
        assert receiver.received == []

        spend(tenant, "3", project=project.pk)
        tasks.send_webhooks()

        [got] = receiver.received
        assert json.loads(got.body)["data"]["scope_name"] == "shop"

    def test_what_was_reached_before_is_not_told_later(
        self, tenant: Tenant, receiver: Receiver
    ) -> None:
        make_budget(tenant, "1", alert_at=[1.0])
        spend(tenant, "1")
        tasks.send_webhooks()
        make(tenant, receiver)

        tasks.send_webhooks()

        assert receiver.received == []


class TestTryingAgain:
    def reached(self, tenant: Tenant, receiver: Receiver) -> datetime:
        make(tenant, receiver)
        make_budget(tenant, "1", alert_at=[1.0])
        spend(tenant, "1")
        now = timezone.now()
        webhooks.announce_waiting(now)
        return now

    def test_pauses_grow_and_the_id_stays(self, tenant: Tenant, receiver: Receiver) -> None:
        receiver.status = 500
        now = self.reached(tenant, receiver)
        for pause in webhooks.PAUSES[:2]:
            deliveries.send_due(now)
            assert deliveries.send_due(now + pause - timedelta(seconds=1)) == 0
            now += pause
        [waiting] = log_of(tenant)
        assert (waiting.status, waiting.tries, waiting.problem) == (
            "waiting", 2, "answered HTTP 500",
        )  # fmt: skip
        receiver.status = 200
        deliveries.send_due(now)

        assert len({got.headers["webhook-id"] for got in receiver.received}) == 1
        assert len({got.headers["webhook-timestamp"] for got in receiver.received}) == 3
        assert len({got.body for got in receiver.received}) == 1
        assert [row.status for row in log_of(tenant)] == ["delivered"]

    def test_after_the_last_try_the_webhook_is_off_and_says_why(
        self, tenant: Tenant, receiver: Receiver
    ) -> None:
        now = self.reached(tenant, receiver)
        receiver.stop()
        for pause in (*webhooks.PAUSES, timedelta()):
            assert deliveries.send_due(now) == 1
            now += pause

        [row] = log_of(tenant)
        hook = hook_of(tenant)
        assert (row.status, row.tries, row.next_at) == ("failed", 7, None)
        assert not hook.enabled
        assert "after 7 tries: cannot be reached: ConnectError" in hook.note
        with tenant_scope(tenant.pk):
            events = AuditEvent.objects.for_tenant(tenant).values_list("action", flat=True)
            assert "webhook.switched_off" in list(events)
        make_budget(tenant, "0.5", alert_at=[1.0])  # reached already: nobody is told
        webhooks.announce_waiting(now)
        assert deliveries.send_due(now) == 0

    def test_a_receiver_that_is_gone_is_not_asked_again(
        self, tenant: Tenant, receiver: Receiver
    ) -> None:
        receiver.status = 410
        now = self.reached(tenant, receiver)
        deliveries.send_due(now)

        assert not hook_of(tenant).enabled
        assert deliveries.send_due(now + timedelta(days=2)) == 0

    def test_a_try_whose_process_died_is_made_again(
        self, tenant: Tenant, receiver: Receiver
    ) -> None:
        now = self.reached(tenant, receiver)
        [(owner, row)] = webhooks.due(now)
        with tenant_scope(owner):
            assert webhooks.claim(owner, row, now=now) is not None
            assert webhooks.claim(owner, row, now=now) is None

        assert deliveries.send_due(now) == 0
        assert deliveries.send_due(now + webhooks.CLAIMED_FOR) == 1
        assert len(receiver.received) == 1

    def test_the_log_is_kept_for_a_month(self, tenant: Tenant, receiver: Receiver) -> None:
        now = self.reached(tenant, receiver)
        deliveries.send_due(now)
        with tenant_scope(tenant.pk):
            assert webhooks.forget_old(tenant.pk, now + timedelta(days=29)) == 0
            assert webhooks.forget_old(tenant.pk, now + timedelta(days=31)) == 1


class TestWhereTo:
    @pytest.mark.parametrize(
        "url",
        ["http://hooks.acme-corp.com/", "https://127.0.0.1/", "https://169.254.169.254/latest",
         "https://localhost/", "https://u:p@hooks.acme-corp.com/", "https://[::1]/", "ftp://x.com/",
         "https://hooks.acme-corp.com:22/", "https://metadata.google.internal/", "https://10.0.0.8/"],
    )  # fmt: skip
    def test_addresses_that_providers_may_not_have_are_refused(
        self, url: str, manager: Client
    ) -> None:
        answer = manager.post("/api/v1/webhooks", {"url": url}, content_type="application/json")

        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == "url"

    def test_a_name_that_leads_inside_is_refused_at_every_connect(
        self, tenant: Tenant, receiver: Receiver, settings: Any
    ) -> None:
        """What was allowed when it was saved need not be so any more."""
        hook, _ = make(tenant, receiver)
        settings.FLO2_WEBHOOK_ORIGINS = []

        row = deliveries.send_test(tenant, hook, now=timezone.now())

        assert receiver.received == []
        assert (row.status, row.problem) == (
            "failed", "its name does not lead to public addresses only",
        )  # fmt: skip

    def test_redirects_are_not_followed(self, tenant: Tenant, receiver: Receiver) -> None:
        receiver.status = 307
        hook, _ = make(tenant, receiver)

        row = deliveries.send_test(tenant, hook, now=timezone.now())

        assert [got.path for got in receiver.received] == [PATH]
        assert row.problem == "answered HTTP 307"


class TestApi:
    def post(self, manager: Client, path: str = "", **body: Any) -> Any:
        return manager.post(f"/api/v1/webhooks{path}", body, content_type="application/json")

    def test_a_webhook_is_made_tested_changed_rolled_and_removed(
        self, tenant: Tenant, receiver: Receiver, manager: Client
    ) -> None:
        budget = make_budget(tenant, "10")
        made = self.post(manager, url=receiver.origin + PATH, events=["budget.alert"])
        assert made.status_code == 201
        assert made["Cache-Control"] == "no-store"
        hook, secret = made.json()["id"], Secret(made.json()["secret"])
        at = f"/api/v1/webhooks/{hook}"

        tested = manager.post(f"{at}/test").json()
        assert (tested["status"], tested["http_status"]) == ("delivered", 204)
        [got] = receiver.received
        assert json.loads(got.body)["type"] == "webhook.test"
        assert is_signed(got.headers, got.body, secret)

        rolled = Secret(manager.post(f"{at}/roll").json()["secret"])
        manager.post(f"{at}/test")
        got = receiver.received[-1]
        assert is_signed(got.headers, got.body, rolled)
        assert not is_signed(got.headers, got.body, secret)

        shown = manager.get("/api/v1/budgets").json()["results"][0]["id"]
        changed = manager.patch(
            at, {"budget": shown, "enabled": False}, content_type="application/json"
        ).json()
        assert (changed["budget"], changed["enabled"]) == (shown, False)
        assert hook_of(tenant).budget_id == budget.pk
        log = manager.get(f"{at}/deliveries").json()["results"]
        assert [row["event"] for row in log] == ["webhook.test", "webhook.test"]
        for shown_after in (manager.get(at), manager.get("/api/v1/webhooks")):
            assert "secret" not in shown_after.json()
            assert secret.reveal() not in shown_after.content.decode()

        assert manager.delete(at).status_code == 204
        assert manager.get(at).status_code == 404
        assert log_of(tenant) == []

    def test_a_foreign_webhook_is_not_found(self, receiver: Receiver, manager: Client) -> None:
        other = TenantFactory.create()
        hook, _ = make(other, receiver)
        at = f"/api/v1/webhooks/{ids.show('wh', hook.pk)}"

        answers = [manager.get(at), manager.delete(at), manager.post(f"{at}/test"),
                   manager.post(f"{at}/roll"), manager.get(f"{at}/deliveries")]  # fmt: skip

        assert {answer.status_code for answer in answers} == {404}
        assert receiver.received == []

    def test_unknown_events_and_budgets_are_refused(
        self, receiver: Receiver, manager: Client
    ) -> None:
        url = receiver.origin + PATH
        assert self.post(manager, url=url, events=["call.settled"]).status_code == 400
        assert self.post(manager, url=url, budget="bud_0000").status_code == 404

    def test_twenty_are_enough(
        self, tenant: Tenant, receiver: Receiver, manager: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(webhooks, "MOST", 1)
        make(tenant, receiver)

        assert self.post(manager, url=receiver.origin + PATH).status_code == 409


def test_the_secret_is_sealed(tenant: Tenant, receiver: Receiver) -> None:
    hook, secret = make(tenant, receiver)

    key = base64.b64decode(secret.reveal().removeprefix("whsec_"))
    assert len(key) == 32
    assert key not in bytes(hook.sealed_secret)
    assert secret.reveal().encode() not in bytes(hook.sealed_secret)
    with tenant_scope(tenant.pk):
        other, _ = webhooks.create(
            tenant, url=hook.url, budget=None, actor=audit.SYSTEM, now=timezone.now()
        )
        other.sealed_secret = hook.sealed_secret  # moved to another row
        with pytest.raises(vault.SealBroken):
            webhooks._secret(other)
