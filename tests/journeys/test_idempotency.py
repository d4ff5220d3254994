"""Idempotency-Key over HTTP: sent twice, asked once."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from django.db import close_old_connections
from django.utils import timezone

from accounts import audit, gateway_keys, ids
from accounts.gateway_keys import KeyTerms
from accounts.tenancy import tenant_scope
from billing.models import Call
from routing import idempotency, idempotent_rows
from routing.cache import choice
from routing.idempotent_rows import Claim
from routing.models import IdempotentCall
from tests.journeys import books
from tests.journeys.conftest import MESSAGES, Caller
from tests.servers.gateway import wait_for
from tests.servers.sandbox import Sandbox

MODEL = "groq/llama-3.3-70b-versatile"
CHAT = "/v1/chat/completions"


def ask(
    caller: Caller, name: str = "order-1", *, key: str = "", path: str = CHAT, **sent: Any
) -> httpx.Response:
    body = {"model": MODEL, "messages": MESSAGES, **sent}
    headers = {"idempotency-key": name} if name else {}
    with caller.gateway.client(key or caller.test_key) as http:
        return http.post(path, json=body, headers=headers)


def conflict(answer: httpx.Response) -> str:
    assert answer.status_code == 409, answer.text
    error = answer.json()["error"]
    assert error["code"] == "idempotency_conflict"
    message: str = error["message"]
    return message


@pytest.fixture
def keeping(caller: Caller) -> Caller:
    """A tenant for whom content may be kept."""
    with tenant_scope(caller.tenant.pk):
        choice.switch(caller.tenant, on=True, actor=audit.SYSTEM)
    return caller


def rows(caller: Caller) -> list[IdempotentCall]:
    with tenant_scope(caller.tenant.pk):
        return list(IdempotentCall.objects.for_tenant(caller.tenant))


@pytest.mark.parametrize("stream", [False, True])
def test_a_second_request_gets_the_first_answer_where_content_may_be_kept(
    keeping: Caller, sandbox: Sandbox, stream: bool
) -> None:
    first = ask(keeping, stream=stream)
    wait_for(lambda: rows(keeping)[0].ended_at is not None, "the end is noted")
    second = ask(keeping, stream=stream)

    assert first.status_code == second.status_code == 200
    assert first.content == second.content
    assert second.headers["x-flo2-call-id"] == first.headers["x-flo2-call-id"]
    assert len(sandbox.requests("groq")) == 1
    assert len(books.calls(keeping)) == 1


def test_where_no_content_is_kept_a_second_request_is_told_of_the_first_call(
    caller: Caller, sandbox: Sandbox
) -> None:
    first = ask(caller)
    second = ask(caller)

    assert first.headers["x-flo2-call-id"] in conflict(second)
    assert second.headers["x-should-retry"] == "false"
    assert len(sandbox.requests("groq")) == 1
    assert [row.sealed for row in rows(caller)] == [None]


def test_another_body_under_the_same_key_is_a_conflict(keeping: Caller) -> None:
    first = ask(keeping)

    told = conflict(ask(keeping, temperature=0.3))
    assert "another request" in told
    assert first.headers["x-flo2-call-id"] in told


def test_another_gateway_key_endpoint_or_name_is_another_request(
    caller: Caller, sandbox: Sandbox
) -> None:
    with tenant_scope(caller.tenant.pk):
        terms = KeyTerms(name="other", mode="test")
        other = gateway_keys.issue(caller.tenant, terms, actor=audit.SYSTEM).text.reveal()
    user = [{"role": "user", "content": "Say hi"}]

    answers = [
        ask(caller), ask(caller, key=other), ask(caller, "order-2"),
        ask(caller, path="/v1/messages", messages=user, max_tokens=20),
    ]  # fmt: skip

    assert [answer.status_code for answer in answers] == [200] * 4
    assert len(sandbox.requests("groq")) == 4


def test_twins_at_once_are_one_upstream_call(keeping: Caller, sandbox: Sandbox) -> None:
    sandbox.fail("groq", "slow@500")

    async def all_at_once() -> list[httpx.Response]:
        async with httpx.AsyncClient(
            base_url=keeping.gateway.url, trust_env=False, timeout=30
        ) as http:
            headers = {"authorization": f"Bearer {keeping.test_key}", "idempotency-key": "k"}
            body = {"model": MODEL, "messages": MESSAGES}
            each = [http.post(CHAT, json=body, headers=headers) for _ in range(10)]
            return await asyncio.gather(*each)

    answers = asyncio.run(all_at_once())

    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 9]
    running = [answer for answer in answers if answer.status_code == 409]
    assert all("still running" in conflict(answer) for answer in running)
    assert all("x-should-retry" not in answer.headers for answer in running)
    assert len(sandbox.requests("groq")) == 1


@pytest.mark.parametrize("fault", ["400", "500", "cut@2"])
def test_a_call_without_an_answer_gives_its_key_back(
    keeping: Caller, sandbox: Sandbox, fault: str
) -> None:
    sandbox.fail("groq", fault)
    ask(keeping, stream=True)
    sandbox.heal()

    wait_for(lambda: not rows(keeping), "the key is free")
    assert ask(keeping, stream=True).status_code == 200


def test_a_caller_who_leaves_gives_the_key_back(caller: Caller, sandbox: Sandbox) -> None:
    sandbox.fail("groq", "slow@3000")

    def leave() -> None:
        with caller.gateway.client(caller.test_key) as http, pytest.raises(httpx.ReadTimeout):
            body = {"model": MODEL, "messages": MESSAGES}
            http.post(CHAT, json=body, headers={"idempotency-key": "order-1"}, timeout=0.5)

    thread = threading.Thread(target=leave)
    thread.start()
    thread.join()

    wait_for(lambda: not rows(caller), "the key is free")


def test_embeddings_are_asked_once_too(keeping: Caller) -> None:
    with keeping.gateway.client(keeping.test_key) as http:
        answers = [
            http.post(
                "/v1/embeddings",
                json={"model": "openai/text-embedding-3-small", "input": "hi"},
                headers={"idempotency-key": "e-1"},
            )
            for _ in range(2)
        ]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].content == answers[1].content


@pytest.mark.parametrize("name", ["x" * 256, "ü"])
def test_a_key_that_is_none_is_refused(caller: Caller, name: str) -> None:
    with caller.gateway.client(caller.test_key) as http:
        sent = {b"idempotency-key": name.encode("latin-1")}
        body = {"model": MODEL, "messages": MESSAGES}
        answer = http.post(CHAT, json=body, headers=httpx.Headers(sent))

    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "Idempotency-Key"


def test_deleting_content_drops_kept_answers_and_leaves_the_key_taken(keeping: Caller) -> None:
    ask(keeping)
    with tenant_scope(keeping.tenant.pk):
        choice.purge(keeping.tenant, actor=audit.SYSTEM)

    assert "not kept" in conflict(ask(keeping))


def test_an_answer_is_not_kept_of_a_tenant_who_opted_out_meanwhile(
    keeping: Caller, sandbox: Sandbox
) -> None:
    sandbox.fail("groq", "slow@1000")
    asking = threading.Thread(target=lambda: ask(keeping, stream=True))
    asking.start()
    wait_for(lambda: bool(rows(keeping)), "the call is on its way")

    with tenant_scope(keeping.tenant.pk):
        choice.switch(keeping.tenant, on=False, actor=audit.SYSTEM)
    asking.join()

    wait_for(lambda: rows(keeping)[0].ended_at is not None, "the end is noted")
    assert [row.sealed for row in rows(keeping)] == [None]


def test_the_last_word_on_keeping_has_the_transaction_that_would_write_it(caller: Caller) -> None:
    claim = a_claim(caller)
    assert idempotent_rows.take(claim) is None

    idempotent_rows.end(claim, b"sealed while it was still allowed")

    assert [(row.sealed, row.ended_at is None) for row in rows(caller)] == [(None, False)]


def test_a_responses_stream_that_ends_at_its_maximum_is_an_answer(
    keeping: Caller, sandbox: Sandbox
) -> None:
    asked: dict[str, Any] = {"path": "/v1/responses", "stream": True, "max_output_tokens": 16}
    long = "Tell me " + "more and " * 40
    first = ask(keeping, input=long, messages=None, **asked)
    assert b"event: response.incomplete" in first.content
    wait_for(lambda: rows(keeping)[0].ended_at is not None, "the end is noted")

    second = ask(keeping, input=long, messages=None, **asked)

    assert second.content == first.content
    assert len(sandbox.requests("groq")) == 1


@pytest.mark.parametrize("status", ["unknown", "failed", "cancelled", "refused"])
def test_the_ledger_frees_the_key_of_a_call_whose_process_died(caller: Caller, status: str) -> None:
    call = died(caller)
    with tenant_scope(caller.tenant.pk):
        Call.objects.for_tenant(caller.tenant).filter(id=call).update(status="open")
    assert "still running" in conflict(ask(caller))

    with tenant_scope(caller.tenant.pk):
        Call.objects.for_tenant(caller.tenant).filter(id=call).update(status=status)

    assert ask(caller).status_code == 200


def test_an_answer_that_nobody_noted_uses_its_key_up(caller: Caller) -> None:
    call = died(caller)
    assert "still running" in conflict(ask(caller))  # whoever answered is about to note it

    with tenant_scope(caller.tenant.pk):
        long_ago = timezone.now() - timedelta(minutes=1)
        Call.objects.for_tenant(caller.tenant).filter(id=call).update(created_at=long_ago)

    assert "answered already" in conflict(ask(caller))


def test_a_call_that_never_came_to_the_books_frees_its_key(caller: Caller) -> None:
    died(caller)
    mine = IdempotentCall.objects.for_tenant(caller.tenant)
    with tenant_scope(caller.tenant.pk):
        mine.update(call=ids.encode(ids.fresh()))
    assert "still running" in conflict(ask(caller))

    with tenant_scope(caller.tenant.pk):
        mine.update(deadline=timezone.now())

    assert ask(caller).status_code == 200


def died(caller: Caller) -> UUID:
    """The id of a call, as if its process had died before it noted the end."""
    ask(caller)
    caller.gateway.settle()
    with tenant_scope(caller.tenant.pk):
        IdempotentCall.objects.for_tenant(caller.tenant).update(ended_at=None)
    return ids.decode(rows(caller)[0].call)


def a_claim(caller: Caller) -> Claim:
    return Claim(
        tenant=caller.tenant.pk, key=b"k" * 32, body=b"b" * 32, call=ids.encode(ids.fresh()),
        is_stream=False, booked_s=60,
    )  # fmt: skip


def test_an_end_is_noted_though_the_caller_leaves_while_it_waits(caller: Caller) -> None:
    claim, free = a_claim(caller), threading.Event()
    assert idempotent_rows.take(claim) is None

    async def leave() -> None:
        """All threads are busy when the end is to be noted, and then its caller goes."""
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        busy = asyncio.ensure_future(asyncio.to_thread(free.wait))
        await asyncio.sleep(0)
        noting = asyncio.ensure_future(idempotency.noted(idempotency.given_back(claim)))
        for _ in range(5):  # until it waits for a thread
            await asyncio.sleep(0)
        noting.cancel()
        await asyncio.wait({noting})
        free.set()
        await busy
        await asyncio.to_thread(close_old_connections)

    asyncio.run(leave())

    assert rows(caller) == []


def test_a_caller_who_leaves_while_the_key_is_taken_leaves_it_free(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, taken, go_on = idempotent_rows.take, threading.Event(), threading.Event()

    def slowly(claim: Claim) -> IdempotentCall | None:
        earlier = take(claim)
        taken.set()
        go_on.wait(10)
        return earlier

    monkeypatch.setattr(idempotent_rows, "take", slowly)
    with (
        caller.gateway.client(caller.test_key) as http,
        pytest.raises(httpx.ReadTimeout),
    ):
        body = {"model": MODEL, "messages": MESSAGES}
        http.post(CHAT, json=body, headers={"idempotency-key": "order-1"}, timeout=0.5)
    assert taken.wait(10)
    go_on.set()

    wait_for(lambda: not rows(caller), "the key is free again")
    assert ask(caller).status_code == 200
