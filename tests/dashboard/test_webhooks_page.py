"""The webhooks page: made with a secret that is shown once, tested, changed, switched, removed."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from accounts import ids
from accounts.roles import Role
from accounts.tenancy import tenant_scope
from billing import webhooks
from billing.models import Webhook
from tests.dashboard.conftest import LogIn, World
from tests.dashboard.reading import text
from tests.servers.receiver import Receiver, receiving

PAGE = "/dashboard/webhooks/"


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    with receiving() as one:
        settings.FLO2_WEBHOOK_ORIGINS = [one.origin]
        yield one


def newest(world: World) -> Webhook:
    with tenant_scope(world.tenant.pk):
        return webhooks.listed(world.tenant)[-1]


def path_of(hook: Webhook, action: str = "") -> str:
    return f"{PAGE}{ids.show('wh', hook.pk)}/{action}"


def test_a_webhook_is_made_and_its_secret_shown_this_once(
    owner: Client, world: World, receiver: Receiver
) -> None:
    budget = ids.show("bud", world.budget.pk)
    answer = owner.post(PAGE, {"url": f"{receiver.origin}/a-token", "budget": budget})

    assert answer["Cache-Control"] == "no-store"
    assert "whsec_" in text(answer)
    hook = newest(world)
    assert (hook.url, hook.budget_id) == (f"{receiver.origin}/a-token", world.budget.pk)
    shown = owner.get(PAGE)
    assert "whsec_" not in text(shown)
    assert "a-token" not in text(shown)  # it may be what the receiver knows senders by


def test_an_address_inside_is_refused_at_its_field(owner: Client, world: World) -> None:
    answer = owner.post(PAGE, {"url": "http://10.0.0.8/hook", "budget": ""})

    assert answer.status_code == 422
    assert "must start with https://" in text(answer)
    assert newest(world) == world.webhook


def test_a_test_says_what_became_of_it_and_stands_on_both_pages(
    owner: Client, world: World, receiver: Receiver
) -> None:
    owner.post(PAGE, {"url": receiver.origin, "budget": ""})
    receiver.status = 503

    told = text(owner.post(path_of(newest(world), "test/"), follow=True))

    assert "The test did not reach" in told
    assert len(receiver.received) == 1
    for page in (PAGE, "/dashboard/budgets/"):
        shown = text(owner.get(page))
        assert "failed" in shown
        assert "answered HTTP 503" in shown


def test_a_webhook_is_changed_switched_and_removed(
    owner: Client, world: World, receiver: Receiver
) -> None:
    path = path_of(world.webhook)
    owner.post(path, {"action": "save", "url": f"{receiver.origin}/new", "budget": ""})
    assert newest(world).url == f"{receiver.origin}/new"

    owner.post(path, {"action": "off"})
    assert not newest(world).enabled
    owner.post(path, {"action": "on"})
    assert newest(world).enabled

    before = newest(world).last4
    assert "whsec_" in text(owner.post(path, {"action": "roll"}))
    assert newest(world).last4 != before
    assert owner.post(path, {"action": "nothing"}).status_code == 404

    owner.post(path, {"action": "remove"})
    assert "No webhook yet" in text(owner.get(PAGE))


def test_a_viewer_sees_webhooks_and_makes_none(world: World, log_in: LogIn) -> None:
    browser = log_in(world.people[Role.VIEWER])

    assert "hooks.acme-corp.com" in text(browser.get(PAGE))
    made = browser.post(PAGE, {"url": "https://hooks.example-corp.com/", "budget": ""})
    assert made.status_code == 403
    assert browser.post(path_of(world.webhook, "test/")).status_code == 403
