"""The response cache over HTTP: opt-in, exact, one upstream call for many, else nothing kept."""

import asyncio
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from anthropic import Anthropic
from django.conf import settings
from django.db import connection

from accounts import audit, gateway_keys, tenant_settings
from accounts.gateway_keys import KeyTerms
from accounts.tenancy import system_scope, tenant_scope
from billing.money import ZERO
from routing import policies, runtime
from routing.cache import choice, keeping
from routing.cache.table import Table
from routing.models import CachedAnswer
from tests.journeys import books
from tests.journeys.conftest import MESSAGES, Caller
from tests.servers.gateway import Gateway, wait_for
from tests.servers.sandbox import Sandbox

MODEL = "groq/llama-3.3-70b-versatile"
ON = {"x-flo2-cache": "on"}
CHAT = "/v1/chat/completions"


@pytest.fixture(autouse=True)
def _patient_table(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers lie in the database; a machine with much to do is no reason for a miss here."""
    table = Table()
    monkeypatch.setattr(keeping, "STORE_SECONDS", 5.0)
    monkeypatch.setattr(choice, "store", lambda: table)
    monkeypatch.setattr(runtime.current().cache, "store", table)


@pytest.fixture
def cached(caller: Caller) -> Iterator[Caller]:
    """A tenant that has switched caching on."""
    with tenant_scope(caller.tenant.pk):
        choice.switch(caller.tenant, on=True, actor=audit.SYSTEM)
    yield caller
    with tenant_scope(caller.tenant.pk):
        choice.switch(caller.tenant, on=False, actor=audit.SYSTEM)


def ask(
    caller: Caller,
    *,
    key: str = "",
    path: str = CHAT,
    headers: dict[str, str] | None = None,
    **sent: Any,
) -> httpx.Response:
    body = {"model": MODEL, "messages": MESSAGES, **sent}
    with caller.gateway.client(key or caller.test_key) as http:
        return http.post(path, json=body, headers=ON if headers is None else headers)


def word(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text
    settled()
    return answer.headers["x-flo2-cache"]


def settled() -> None:
    """What is to be kept is kept."""
    cache = runtime.current().cache
    wait_for(lambda: not cache.flights, "every answer is kept")


def test_the_second_identical_call_is_answered_from_the_cache_and_costs_nothing(
    cached: Caller, sandbox: Sandbox
) -> None:
    first, second = ask(cached), ask(cached)

    assert [word(first), word(second)] == ["MISS", "HIT"]
    assert len(sandbox.requests("groq")) == 1
    told = second.headers
    assert (told["x-flo2-attempts"], told["x-flo2-cost-usd"]) == ("0", "0")
    assert (told["x-flo2-reason"], told["x-flo2-provider"]) == ("cache", "groq")
    one, other = first.json(), second.json()
    assert one["id"] != other["id"]
    assert one["choices"][0]["message"]["content"] == other["choices"][0]["message"]["content"]
    assert other["usage"]["cost"] == 0
    assert other["usage"]["total_tokens"] == one["usage"]["total_tokens"]
    missed, hit = books.calls(cached)
    assert [(one.cache, one.attempts) for one in (missed, hit)] == [("miss", 1), ("hit", 0)]
    assert hit.cost == ZERO
    assert missed.cost
    assert hit.saved == missed.cost


def test_nothing_is_kept_of_a_tenant_who_has_not_switched_it_on(
    caller: Caller, sandbox: Sandbox
) -> None:
    answers = [ask(caller), ask(caller)]

    assert [word(answer) for answer in answers] == ["OFF", "OFF"]
    assert len(sandbox.requests("groq")) == 2
    with tenant_scope(caller.tenant.pk):
        assert not CachedAnswer.objects.for_tenant(caller.tenant).exists()


def test_a_call_that_does_not_ask_for_it_is_neither_looked_up_nor_kept(cached: Caller) -> None:
    assert word(ask(cached)) == "MISS"

    assert word(ask(cached, headers={})) == "OFF"
    assert word(ask(cached, headers={**ON, "cache-control": "no-store"})) == "OFF"


def test_refresh_asks_anew_and_keeps_the_new_answer(cached: Caller, sandbox: Sandbox) -> None:
    assert word(ask(cached)) == "MISS"

    assert word(ask(cached, headers={"x-flo2-cache": "refresh"})) == "MISS"
    assert word(ask(cached, headers={**ON, "cache-control": "no-cache"})) == "MISS"
    assert word(ask(cached)) == "HIT"
    assert len(sandbox.requests("groq")) == 3


def test_a_policy_switches_it_on_and_a_policy_of_zero_forbids_it(cached: Caller) -> None:
    with tenant_scope(cached.tenant.pk):
        for name, seconds in (("warm", 60), ("never", 0)):
            document = {"strategy": "priority", "targets": [MODEL], "cache": {"ttl_s": seconds}}
            policies.save(cached.tenant, name, document, actor=audit.SYSTEM)

    answers = [ask(cached, headers={"x-flo2-policy": "warm"}) for _ in range(2)]
    forbidden = ask(cached, headers={"x-flo2-policy": "never", **ON})

    assert [word(answer) for answer in answers] == ["MISS", "HIT"]
    assert word(forbidden) == "OFF"


def test_an_answer_ends_with_its_time(cached: Caller) -> None:
    short = {**ON, "x-flo2-cache-ttl": "1"}
    assert word(ask(cached, headers=short)) == "MISS"
    assert word(ask(cached, headers=short)) == "HIT"

    wait_for(lambda: word(ask(cached, headers=short)) == "MISS", "it ends", seconds=5)


@pytest.mark.parametrize("first", [True, False])
def test_the_openai_client_reads_a_kept_answer_whole_and_streamed(
    cached: Caller, first: bool, sandbox: Sandbox
) -> None:
    told = []
    for stream in (first, True, False):
        asked: Any = {"model": MODEL, "messages": MESSAGES, "extra_headers": ON}
        if stream:
            asked |= {"stream": True, "stream_options": {"include_usage": True}}
        parsed: Any = cached.openai().chat.completions.create(**asked)
        if stream:
            chunks = list(parsed)
            text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
            finish = [c.choices[0].finish_reason for c in chunks if c.choices][-1]
            tokens = chunks[-1].usage.total_tokens
        else:
            text, finish = parsed.choices[0].message.content, parsed.choices[0].finish_reason
            tokens = parsed.usage.total_tokens
        settled()
        told.append((text, finish, tokens))

    assert told[0][0]
    assert told[1:] == [told[0]] * 2
    assert len(sandbox.requests("groq")) == 1


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("model", ["anthropic/claude-haiku-4-5", MODEL])
def test_the_anthropic_client_reads_a_kept_answer_whole_and_streamed(
    cached: Caller, first: bool, model: str, sandbox: Sandbox
) -> None:
    client = Anthropic(base_url=cached.gateway.url, api_key=cached.test_key, max_retries=0)
    asked: Any = {
        "model": model, "max_tokens": 200, "extra_headers": ON,
        "messages": [{"role": "user", "content": "Say hi"}],
    }  # fmt: skip
    told = []
    for stream in (first, True, False):
        if stream:
            with client.messages.stream(**asked) as streamed:
                message: Any = streamed.get_final_message()
        else:
            message = client.messages.create(**asked)
        settled()
        told.append((message.content[0].text, message.stop_reason, message.usage.output_tokens))

    assert told[0][0]
    assert told[1:] == [told[0]] * 2
    assert len(sandbox.requests(model.partition("/")[0])) == 1


def test_fifty_identical_calls_at_once_are_one_upstream_call(
    cached: Caller, sandbox: Sandbox
) -> None:
    sandbox.fail("groq", "slow@300")

    async def all_at_once() -> list[httpx.Response]:
        async with httpx.AsyncClient(
            base_url=cached.gateway.url, trust_env=False, timeout=30
        ) as http:
            headers = {"authorization": f"Bearer {cached.test_key}", **ON}
            body = {"model": MODEL, "messages": MESSAGES}
            each = [http.post(CHAT, json=body, headers=headers) for _ in range(50)]
            return await asyncio.gather(*each)

    answers = asyncio.run(all_at_once())

    assert [answer.status_code for answer in answers] == [200] * 50
    words = sorted(answer.headers["x-flo2-cache"] for answer in answers)
    assert words == ["HIT"] * 49 + ["MISS"]
    assert len(sandbox.requests("groq")) == 1
    assert len({answer.json()["id"] for answer in answers}) == 50


def test_a_leader_who_leaves_does_not_take_the_answer_with_him(
    cached: Caller, sandbox: Sandbox
) -> None:
    sandbox.fail("groq", "slow@1000")
    got: list[httpx.Response] = []

    def leave() -> None:
        with cached.gateway.client(cached.test_key) as http:
            body = {"model": MODEL, "messages": MESSAGES}
            with pytest.raises(httpx.ReadTimeout):
                http.post(CHAT, json=body, headers=ON, timeout=0.5)

    leader = threading.Thread(target=leave)
    leader.start()
    wait_for(lambda: bool(runtime.current().cache.flights), "the leader is on its way")
    follower = threading.Thread(target=lambda: got.append(ask(cached)))
    follower.start()
    leader.join()
    follower.join()

    assert [word(answer) for answer in got] == ["HIT"]
    assert len(sandbox.requests("groq")) == 1


def test_followers_of_a_call_that_fails_ask_for_themselves(
    cached: Caller, sandbox: Sandbox
) -> None:
    sandbox.fail("groq", "400", times=1)
    first = ask(cached)
    settled()

    assert first.status_code == 400
    assert first.headers["x-flo2-cache"] == "MISS"
    assert word(ask(cached)) == "MISS"


@pytest.mark.parametrize("fault", ["cut@3", "empty", "garbage"])
def test_what_is_cut_or_failed_is_never_kept(cached: Caller, sandbox: Sandbox, fault: str) -> None:
    sandbox.fail("groq", fault)
    ask(cached, stream=True)
    settled()

    with tenant_scope(cached.tenant.pk):
        assert not CachedAnswer.objects.for_tenant(cached.tenant).exists()
    sandbox.heal()
    assert word(ask(cached, stream=True)) == "MISS"


def test_nothing_crosses_keys_modes_or_dialects(cached: Caller, sandbox: Sandbox) -> None:
    assert word(ask(cached)) == "MISS"
    with tenant_scope(cached.tenant.pk):
        terms = KeyTerms(name="other", mode="test")
        issued = gateway_keys.issue(cached.tenant, terms, actor=audit.SYSTEM)

    assert word(ask(cached, key=issued.text.reveal())) == "MISS"
    assert word(ask(cached)) == "HIT"
    messages = [{"role": "user", "content": "Say hi"}]
    other = ask(cached, path="/v1/messages", messages=messages, max_tokens=50)
    assert word(other) == "MISS"
    assert len(sandbox.requests("groq")) == 3


def test_a_broken_row_is_a_miss(cached: Caller) -> None:
    assert word(ask(cached)) == "MISS"
    with tenant_scope(cached.tenant.pk):
        row = CachedAnswer.objects.for_tenant(cached.tenant).get()
        sealed = bytearray(row.sealed)
        sealed[-1] ^= 1
        row.sealed = bytes(sealed)
        row.save()

    assert word(ask(cached)) == "MISS"
    assert word(ask(cached)) == "HIT"


def test_switching_off_drops_everything_and_purges_reach_what_they_name(cached: Caller) -> None:
    ask(cached)
    ask(cached, temperature=0.5)
    settled()
    with tenant_scope(cached.tenant.pk):
        rows = CachedAnswer.objects.for_tenant(cached.tenant)
        assert rows.count() == 2
        assert choice.purge(cached.tenant, policy="another", actor=audit.SYSTEM) == 0
        assert choice.purge(cached.tenant, actor=audit.SYSTEM) == 2
    assert word(ask(cached)) == "MISS"
    with tenant_scope(cached.tenant.pk):
        choice.switch(cached.tenant, on=False, actor=audit.SYSTEM)
        assert not rows.exists()
    wait_for(lambda: word(ask(cached)) == "OFF", "the switch is heard of", seconds=3)


def test_what_is_kept_cannot_be_read_in_the_database(cached: Caller) -> None:
    marker = "marmalade-7719"
    text = ask(cached, messages=[{"role": "user", "content": marker}]).json()["choices"][0]
    settled()

    with connection.cursor() as cursor, tenant_scope(cached.tenant.pk):
        cursor.execute("SELECT key, sealed FROM routing_cachedanswer")
        rows = cursor.fetchall()
    assert len(rows) == 1
    held = b"".join(bytes(value) for row in rows for value in row)
    assert marker.encode() not in held
    assert text["message"]["content"].encode() not in held


def test_with_everything_off_a_prompt_and_its_answer_are_found_nowhere(caller: Caller) -> None:
    marker = "marmalade-4411"
    messages = [{"role": "user", "content": f"Say {marker}"}]
    for stream in (False, True):
        headers = {**ON, "idempotency-key": f"k-{stream}"}
        answer = ask(caller, messages=messages, stream=stream, headers=headers)
        assert answer.status_code == 200
    caller.gateway.settle()

    found = [name for name, held in everything() if marker.encode() in held]
    assert found == []
    # The same look finds what is there: the name of the tenant.
    assert any(b"Acme" in held for _, held in everything())


def everything() -> Iterator[tuple[str, bytes]]:
    """Every table of the database and every file of the data directory, as bytes."""
    with system_scope(), connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            rows = [bytes(v) if isinstance(v, memoryview) else v for r in cursor for v in r]
            yield table, b" ".join(v if isinstance(v, bytes) else str(v).encode() for v in rows)
    for path in Path(settings.FLO2_DATA_DIR).rglob("*"):
        if path.is_file():
            # By another process: SQLite's locks go when this one closes its file.
            yield path.name, subprocess.run(["cat", path], capture_output=True, check=True).stdout


def test_explain_tells_what_a_call_would_find(cached: Caller) -> None:
    def verdict(**headers: str) -> dict[str, str]:
        answer = ask(cached, path="/v1/route/explain", headers={"x-flo2-cache": "on", **headers})
        found: dict[str, str] = answer.json()["cache"]
        return found

    assert verdict()["verdict"] == "MISS"
    # Explain speaks for the endpoint of the body's dialect.
    assert word(ask(cached)) == "MISS"
    assert verdict()["verdict"] == "HIT"
    assert verdict(**{"cache-control": "no-store"}) == {
        "verdict": "OFF",
        "why": "the request says no",
    }


def test_settings_are_read_and_changed_by_the_management_api(caller: Caller) -> None:
    with tenant_scope(caller.tenant.pk):
        key = gateway_keys.issue_management_key(caller.tenant, name="ops", actor=audit.SYSTEM)
    with caller.gateway.client(key.reveal()) as http:
        assert http.get("/api/v1/settings").json()["cache_enabled"] is False
        changed = http.patch("/api/v1/settings", json={"cache_enabled": True})
        assert changed.json()["cache_enabled"] is True
        assert http.patch("/api/v1/settings", json={"cash": True}).status_code == 400
        wait_for(lambda: word(ask(caller)) != "OFF", "the switch is heard of", seconds=3)
        assert http.get("/api/v1/cache").json()["entries"] == 1
        gone = http.post("/api/v1/settings/delete-content")
        assert gone.json() == {
            "cached_answers": 1,
            "collected_calls": 0,
            "samples": 0,
            "comments": 0,
        }
    with tenant_scope(caller.tenant.pk):
        assert tenant_settings.read(caller.tenant.pk).cache_enabled
