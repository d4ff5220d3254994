"""The live feed over a real WebSocket: who hears of a call, and what of it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import pytest
from django.conf import settings
from django.http import QueryDict
from django.test import Client
from django.utils import timezone
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from accounts import ids, tenancy
from accounts.models import Membership, Tenant, User
from accounts.roles import Role
from billing import books, feed, first_calls
from billing.deltas import Booked
from dashboard import consumers, websockets
from tests.factories.accounts import MembershipFactory
from tests.factories.billing import CallOpenedFactory, CallSettledFactory, call_id, story
from tests.journeys.conftest import Caller, caller, live_caller

__all__ = ["caller", "live_caller"]  # fixtures
SECONDS = 5


def session_of(user: User) -> str:
    browser = Client()
    browser.force_login(user)
    return browser.cookies[settings.SESSION_COOKIE_NAME].value


def owner_of(tenant: Tenant) -> User:
    with tenancy.tenant_scope(tenant.pk):
        return Membership.objects.for_tenant(tenant).get(role=Role.OWNER).user


@contextmanager
def listening(
    caller: Caller, user: User | None, *, path: str = "/ws/calls/", origin: str = "", **query: str
) -> Iterator[ClientConnection]:
    url = caller.gateway.url
    wanted = {"view": "calls", "mode": "test", "tenant": str(caller.tenant.pk), **query}
    cookie = {"Cookie": f"{settings.SESSION_COOKIE_NAME}={session_of(user)}"} if user else {}
    with connect(
        f"{url.replace('http', 'ws', 1)}{path}?{urlencode(wanted)}",
        origin=Origin(origin or url),
        additional_headers=cookie,
        proxy=None,
    ) as socket:
        yield socket


def next_of(socket: ClientConnection) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(socket.recv(timeout=SECONDS))
    return answer


def call(caller: Caller, text: str = "Say hi", *, live: bool = False, model: str = "auto") -> str:
    answer = caller.openai(live=live).chat.completions.with_raw_response.create(
        model=model, messages=[{"role": "user", "content": text}]
    )
    return answer.headers["x-flo2-call-id"]


def test_a_call_appears_as_a_row_of_the_page(caller: Caller) -> None:
    with listening(caller, owner_of(caller.tenant)) as socket:
        made = call(caller)
        told = next_of(socket)

    assert told["count"] == 1
    assert f"/dashboard/calls/{made}/" in told["rows"]
    assert told["rows"].count("<tr") == 1


def test_the_overview_gets_rows_of_its_own_shape(caller: Caller) -> None:
    with listening(caller, owner_of(caller.tenant), view="overview") as socket:
        call(caller)

        assert "just now" in next_of(socket)["rows"]


@pytest.mark.parametrize(
    "filters", [{"mode": "live"}, {"model": "nothing"}, {"status": "failed"}, {"view": "else"}]
)
def test_calls_that_the_page_would_not_list_are_only_counted(
    caller: Caller, filters: dict[str, str]
) -> None:
    with listening(caller, owner_of(caller.tenant), **filters) as socket:
        call(caller)

        assert next_of(socket) == {"count": 1, "rows": "", "full": False, "cut": False}


def test_another_tenant_hears_nothing(caller: Caller) -> None:
    other = MembershipFactory.create()
    theirs = {"tenant": str(other.tenant_id)}
    with (
        listening(caller, other.user, **theirs) as foreign,
        listening(caller, owner_of(caller.tenant)) as own,
    ):
        call(caller)
        next_of(own)

        with pytest.raises(TimeoutError):
            foreign.recv(timeout=0.5)


def test_nobody_listens_to_a_tenant_they_do_not_belong_to(caller: Caller) -> None:
    stranger = MembershipFactory.create().user
    for user in (stranger, None):
        with pytest.raises(InvalidStatus) as refused, listening(caller, user):
            pass
        assert refused.value.response.status_code == 403


def test_a_page_of_another_origin_is_refused_though_cookies_come_along(caller: Caller) -> None:
    owner = owner_of(caller.tenant)
    for origin in ("https://evil.example", f"{caller.gateway.url}0", "null"):
        with pytest.raises(InvalidStatus) as refused, listening(caller, owner, origin=origin):
            pass
        assert refused.value.response.status_code == 403


def test_an_unknown_path_is_no_socket(caller: Caller) -> None:
    with pytest.raises(InvalidStatus), listening(caller, owner_of(caller.tenant), path="/ws/x/"):
        pass


def test_who_was_removed_stops_hearing(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "CHECK_SECONDS", 0.0)
    member = MembershipFactory.create(tenant=caller.tenant, role=Role.VIEWER)
    with listening(caller, member.user) as socket:
        call(caller)
        next_of(socket)
        with tenancy.tenant_scope(caller.tenant.pk):
            member.delete()
        call(caller)

        with pytest.raises(ConnectionClosed) as ended:
            socket.recv(timeout=SECONDS)
    assert ended.value.rcvd is not None
    assert ended.value.rcvd.code == consumers.NOT_ALLOWED


def test_many_calls_come_in_few_updates(caller: Caller) -> None:
    with listening(caller, owner_of(caller.tenant)) as socket:
        for _ in range(12):
            call(caller)
        counts: list[int] = []
        while sum(counts) < 12:
            counts.append(next_of(socket)["count"])

    assert sum(counts) == 12
    assert len(counts) < 12


def test_what_comes_while_nobody_sees_the_page_is_sent_when_it_is_seen(caller: Caller) -> None:
    with listening(caller, owner_of(caller.tenant)) as socket:
        socket.send("pause")
        made = [call(caller) for _ in range(3)]
        caller.gateway.settle()
        with pytest.raises(TimeoutError):
            socket.recv(timeout=0.7)

        socket.send("go")

        told = next_of(socket)
        assert told["count"] == 3
        assert [f"/{one}/" in told["rows"] for one in made] == [True] * 3


@pytest.mark.parametrize(("most", "is_cut"), [(3, False), (2, True)])
def test_a_filtered_page_hears_that_it_may_lack_some_of_what_came_unseen(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, most: int, is_cut: bool
) -> None:
    monkeypatch.setattr(consumers, "MOST_WAITING", most)
    with listening(caller, owner_of(caller.tenant)) as socket:
        socket.send("pause")
        for _ in range(3):
            call(caller)
        caller.gateway.settle()
        with pytest.raises(TimeoutError):  # and the news of all of them have come
            socket.recv(timeout=0.7)

        socket.send("go")

        told = next_of(socket)
    assert (told["count"], told["cut"]) == (3, is_cut)


def test_a_page_gets_no_more_rows_than_it_shows_and_hears_so(caller: Caller) -> None:
    tenant, now = caller.tenant, int(timezone.now().timestamp() * 1000)
    told = [story(tenant, opened_at=now + number, mode="test") for number in range(60)]
    told[0] = story(tenant, opened_at=now, mode="test", settled={"status": "failed"})
    books.book(fact for facts in told for fact in facts)
    calls = [ids.decode(facts[0].call) for facts in told]

    for view, most in (("calls", 50), ("overview", 8)):
        rows, is_full = consumers.rows_of(tenant.pk, QueryDict(f"view={view}&mode=test"), calls)
        assert (rows.count("<tr"), is_full) == (most, True)
        assert f"/call_{told[-1][0].call}/" in rows

    rows, is_full = consumers.rows_of(tenant.pk, QueryDict("view=calls&mode=test"), calls[:50])
    assert (rows.count("<tr"), is_full) == (50, False)  # all of them

    # The one that the filters want is found among the newer ones.
    rows, is_full = consumers.rows_of(
        tenant.pk, QueryDict("view=calls&mode=test&status=failed"), calls
    )
    assert (rows.count("<tr"), is_full) == (1, False)
    assert f"/call_{told[0][0].call}/" in rows


def test_the_first_live_call_makes_pages_open_with_live_data(live_caller: Caller) -> None:
    tenant = live_caller.tenant
    first_calls.forget()
    browser = Client()
    browser.force_login(owner_of(tenant))
    call(live_caller)
    live_caller.gateway.settle()
    assert browser.get("/dashboard/").context["mode"] == "test"
    assert Tenant.objects.get(pk=tenant.pk).first_live_call_at is None

    call(live_caller, live=True, model="groq/llama-3.3-70b-versatile")
    live_caller.gateway.settle()
    noted = Tenant.objects.get(pk=tenant.pk).first_live_call_at
    call(live_caller, live=True, model="groq/llama-3.3-70b-versatile")
    live_caller.gateway.settle()

    assert noted is not None
    assert Tenant.objects.get(pk=tenant.pk).first_live_call_at == noted
    assert browser.get("/dashboard/").context["mode"] == "live"


def _booked(tenant: Any, at: int, *, sign: int = 1, is_settled: bool = True) -> Booked:
    opened = CallOpenedFactory.build(tenant=tenant, opened_at=at, call=call_id(at))
    settled = CallSettledFactory.build(call=opened.call) if is_settled else None
    return Booked(opened, settled, (), sign=sign)


def test_a_message_names_the_newest_calls_of_a_batch_and_counts_all() -> None:
    one, other = (CallOpenedFactory.build().tenant for _ in range(2))
    batch = [_booked(one, 1_795_176_000_000 + n) for n in range(feed.MOST_IDS + 10)]
    batch += [_booked(other, 1), _booked(other, 2, sign=-1), _booked(other, 3, is_settled=False)]

    told = feed.messages(batch)

    assert told[one]["count"] == feed.MOST_IDS + 10
    assert told[one]["calls"] == [each.opened.call for each in batch[10 : feed.MOST_IDS + 10]]
    assert told[other]["count"] == 1


@pytest.mark.parametrize(
    ("origin", "host", "fits"),
    [
        ("http://testserver", "testserver", True),
        ("http://testserver:8000", "testserver:8000", True),
        ("HTTPS://TestServer", "testserver", True),
        ("http://testserver:8001", "testserver:8000", False),
        ("http://evil.example", "evil.example", False),  # not a host of ours
        ("http://testserver.evil.example", "testserver", False),
        ("null", "testserver", False),
        ("", "testserver", False),
        ("file://testserver", "testserver", False),
    ],
)
def test_only_pages_of_our_own_origin_connect(origin: str, host: str, fits: bool) -> None:
    headers = {b"host": host.encode(), **({b"origin": origin.encode()} if origin else {})}

    assert websockets.is_own_origin(headers) is fits
