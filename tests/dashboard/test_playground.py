"""The playground: a session's call goes the gateway's way, streams, and is on the books."""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from accounts import audit, ids, members
from accounts.models import Tenant, User
from accounts.roles import Role
from accounts.tenancy import tenant_scope
from billing.models import Call
from dashboard.pipe import MOST_PIECES, Pipe
from tests.dashboard.conftest import World
from tests.dashboard.reading import text
from tests.dashboard.test_live_feed import owner_of, session_of
from tests.factories.accounts import MembershipFactory
from tests.journeys.conftest import Caller, caller, live_caller
from tests.servers.gateway import wait_for
from tests.servers.sandbox import Sandbox

__all__ = ["caller", "live_caller"]  # fixtures
RUN = "/dashboard/playground/run/"
ASK = {"model": "auto", "prompt": "Say hi"}


Opens = Callable[[Caller, User], httpx.Client]


@pytest.fixture
def browser() -> Iterator[Opens]:
    """Browsers in which somebody is logged in, with the page's CSRF token where they see it."""
    opened = []

    def browser(caller: Caller, user: User) -> httpx.Client:
        client = caller.gateway.client()
        opened.append(client)
        client.cookies.set(settings.SESSION_COOKIE_NAME, session_of(user))
        page = client.get("/dashboard/playground/")
        if page.status_code == 200:
            token = page.text.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
            client.headers["X-CSRFToken"] = token
        return client

    yield browser
    for client in opened:
        client.close()


def events(answer: httpx.Response) -> list[tuple[str, Any]]:
    """(name, content) of every event."""
    found = []
    for block in answer.text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        data = fields.get("data", "")
        if data and data != "[DONE]":
            found.append((fields.get("event", ""), json.loads(data)))
    return found


def calls_of(tenant: Tenant) -> list[Call]:
    with tenant_scope(tenant.pk):
        return list(Call.objects.for_tenant(tenant).order_by("-id"))


def test_a_call_streams_and_is_booked_without_a_key(caller: Caller, browser: Opens) -> None:
    answer = browser(caller, owner_of(caller.tenant)).post(f"{RUN}?mode=test", data=ASK)
    caller.gateway.settle()

    told = events(answer)
    names = [name for name, _ in told]
    chunks = [one["choices"][0]["delta"] for _, one in told[1:] if one["choices"]]
    said = "".join(delta.get("content") or "" for delta in chunks)
    usage = [one["usage"] for _, one in told if one.get("usage")]
    row = calls_of(caller.tenant)[0]
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert names[0] == "call"
    assert said
    assert told[0][1]["provider"] == row.provider
    assert told[0][1]["call"].endswith(ids.encode(row.id.int))
    assert (row.purpose, row.gateway_key_id, row.mode) == ("user", None, "test")
    assert (row.status, row.stream, row.tags) == ("succeeded", True, ["playground"])
    assert Decimal(str(usage[-1]["cost"])) == row.cost


def test_a_live_call_takes_the_tenants_own_key(
    live_caller: Caller, browser: Opens, sandbox: Sandbox
) -> None:
    ask = {**ASK, "model": "groq/llama-3.3-70b-versatile"}
    browser(live_caller, owner_of(live_caller.tenant)).post(f"{RUN}?mode=live", data=ask)
    live_caller.gateway.settle()

    assert calls_of(live_caller.tenant)[0].mode == "live"
    assert len(sandbox.requests("groq")) == 1


@pytest.mark.parametrize("model", ["no-such-model", "groq/llama-3.3-70b-versatile"])
def test_a_refusal_is_told_as_an_event(model: str, caller: Caller, browser: Opens) -> None:
    """An unknown model, and one for which there is no live key."""
    answer = browser(caller, owner_of(caller.tenant)).post(
        f"{RUN}?mode=live", data={**ASK, "model": model}
    )

    assert answer.status_code == 200
    (name, content), *rest = events(answer)
    assert name == "failed"
    assert content["message"]
    assert rest == []


def test_a_form_that_makes_no_sense_is_refused(caller: Caller, browser: Opens) -> None:
    client = browser(caller, owner_of(caller.tenant))

    for wrong in ({"prompt": ""}, {"model": ""}, {"temperature": "9"}, {"max_tokens": "0"}):
        answer = client.post(RUN, data={**ASK, **wrong})
        assert answer.status_code == 400
        assert next(iter(wrong)) in answer.json()["message"]


def test_a_foreign_page_cannot_make_a_call(caller: Caller, browser: Opens) -> None:
    client = browser(caller, owner_of(caller.tenant))
    del client.headers["X-CSRFToken"]

    assert client.post(RUN, data=ASK).status_code == 403
    caller.gateway.settle()
    assert calls_of(caller.tenant) == []


def test_viewers_and_suspended_tenants_cannot_call(caller: Caller, browser: Opens) -> None:
    viewer = MembershipFactory.create(tenant=caller.tenant, role=Role.VIEWER).user
    shut = browser(caller, owner_of(caller.tenant))
    client = browser(caller, viewer)
    assert client.get("/dashboard/playground/").status_code == 403

    members.suspend(caller.tenant, reason="spam", actor=audit.SYSTEM, now=timezone.now())

    answer = shut.post(RUN, data=ASK)
    assert answer.status_code == 403
    assert "suspended" in answer.json()["message"]


def test_who_stops_reading_hangs_up_on_the_provider(
    caller: Caller, browser: Opens, sandbox: Sandbox
) -> None:
    client = browser(caller, owner_of(caller.tenant))
    sandbox.fail("groq", "stall")
    ask = {**ASK, "model": "groq/llama-3.3-70b-versatile", "prompt": "Tell a long story"}
    with client.stream("POST", f"{RUN}?mode=test", data=ask) as answer:
        assert answer.status_code == 200
        wait_for(lambda: bool(sandbox.requests("groq")), "the provider is asked")

    caller.gateway.settle()
    assert calls_of(caller.tenant)[0].status == "cancelled"


def test_the_page_offers_what_can_be_called(world: World, client: Client) -> None:
    client.force_login(world.owner)
    test = client.get("/dashboard/playground/?mode=test&model=auto:fastest")
    live = client.get("/dashboard/playground/?mode=live")

    assert "openai/" in " ".join(test.context["models"])
    providers = {name.split("/")[0] for name in live.context["models"] if "/" in name}
    assert providers == {"groq"}  # the one with a key
    assert [slot.model for slot in test.context["slots"]] == ["auto:fastest", "", "", ""]
    assert "The sandbox answers" in text(test)


async def test_a_pipe_gives_in_order_what_was_written_and_ends_when_it_is_closed() -> None:
    pipe = Pipe()
    pipe.write(b"a")
    pipe.write(b"")
    pipe.write(b"b")
    pipe.close()

    assert [piece async for piece in pipe.pieces()] == [b"a", b"b"]


async def test_a_full_pipe_holds_the_writer_back_until_somebody_reads() -> None:
    pipe = Pipe()
    for _ in range(MOST_PIECES):
        pipe.write(b"x")
    assert pipe.is_full
    reader = pipe.pieces()
    await anext(reader)

    await pipe.drained()
    assert not pipe.is_full
