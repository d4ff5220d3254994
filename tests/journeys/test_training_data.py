"""Training data over HTTP: opt-in, filtered, looked at, exported as JSON lines."""

import json
from typing import Any

import pytest

from accounts import audit, gateway_keys, ids
from accounts.gateway_keys import KeyTerms
from accounts.tenancy import tenant_scope
from routing import collecting
from routing.hearing import Room
from routing.training_data.filters import Filter
from tests.contract.ends import CHAT, DIALECTS, PROVIDERS, Dialect
from tests.journeys.conftest import Caller
from tests.journeys.experimenting import GROQ
from tests.journeys.training import (
    collect,
    exported,
    heard,
    last_words,
    listed,
    manager,
    say,
)

Json = dict[str, Any]
ENDS = {end.slug: end for end in PROVIDERS}
every_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=str)
whole_and_streamed = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


def check_form(example: Json) -> None:
    """What OpenAI's fine-tuning takes: known fields, a reply at the end, results of known calls."""
    assert example.keys() <= {"messages", "tools", "parallel_tool_calls"}
    called: set[str] = set()
    for message in example["messages"]:
        assert message.keys() <= {"role", "content", "tool_calls", "tool_call_id"}
        assert message["role"] in {"system", "user", "assistant", "tool"}
        for call in message.get("tool_calls", ()):
            called.add(call["id"])
            assert call["type"] == "function"
            json.loads(call["function"]["arguments"])
        if message["role"] == "tool":
            assert message["tool_call_id"] in called
        assert message.get("content") or message.get("tool_calls")
    assert example["messages"][-1]["role"] == "assistant"
    for tool in example.get("tools", ()):
        assert tool["function"]["parameters"]["type"] == "object"


def test_calls_are_collected_while_it_is_switched_on_and_no_longer(caller: Caller) -> None:
    with manager(caller) as http:
        assert http.get("/api/v1/settings").json()["store_content"] is False
        say(caller, "before")
        assert listed(http) == []
        collect(caller, http)
        call = say(caller, "while it is on")
        say(caller, "and streamed", stream=True)

        found = listed(http)

        assert [one["messages"][0]["content"] for one in found] == [
            "and streamed", "while it is on",
        ]  # fmt: skip
        assert found[1]["id"] == call
        assert found[1]["messages"][1]["content"].startswith("[sandbox] ")
        assert (found[1]["provider"], found[1]["finish_reason"]) == ("groq", "stop")
        assert http.get(f"/api/v1/training-data/{call}").json() == found[1]

        http.patch("/api/v1/settings", json={"store_content": False})
        heard(caller)
        say(caller, "after")
        assert len(listed(http)) == 2  # what is there stays until it is deleted


@every_dialect
@whole_and_streamed
def test_every_dialect_is_exported_in_the_form_of_fine_tuning(
    caller: Caller, dialect: Dialect, *, stream: bool
) -> None:
    more = {"stream": True} if stream else {}
    for slug in ("groq", "anthropic"):
        end = ENDS[slug]
        with manager(caller) as http:
            collect(caller, http)
            asked = dialect.ask(caller, end, "Use the tool in parallel.", tool=True, **more)
            whole = dialect.ask(caller, end, "Use the tool in parallel.", tool=True)
            model = f"{end.slug}/{end.model}"
            body = dialect.speaker.body("Use the tool in parallel.", model=model, tool=True)
            body = dialect.result(body, whole.raw.json(), "4 degrees")
            after = dialect.send(caller, {**body, **more})

            called, _, answered = exported(http)

            check_form(called)
            check_form(answered)
            calls = [
                (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
                for call in called["messages"][-1]["tool_calls"]
            ]
            assert calls == [(id_, name, json.loads(text)) for id_, name, text in asked.reply.calls]
            assert [m["role"] for m in answered["messages"]] == [
                "user", "assistant", "tool", "tool", "assistant",
            ]  # fmt: skip
            ids_called = [call["id"] for call in answered["messages"][1]["tool_calls"]]
            assert ids_called == [call[0] for call in whole.reply.calls]
            assert [m["tool_call_id"] for m in answered["messages"][2:4]] == ids_called
            assert answered["messages"][-1]["content"] == after.reply.text
            assert answered["tools"][0]["function"]["name"] == "get_weather"
            assert http.delete("/api/v1/training-data").json() == {"collected_calls": 3}


@every_dialect
def test_thoughts_stay_out_of_what_is_collected(caller: Caller, dialect: Dialect) -> None:
    end = ENDS["groq"]
    with manager(caller) as http:
        collect(caller, http)
        asked = dialect.ask(
            caller, end, "Think of the sea.", model=end.thinker, stream=True, **dialect.think
        )

        (example,) = exported(http)

    check_form(example)
    assert asked.reply.thoughts
    assert example["messages"][-1]["content"] == asked.reply.text


def test_filters_let_through_what_they_name(caller: Caller) -> None:
    with tenant_scope(caller.tenant.pk):
        other = gateway_keys.issue(
            caller.tenant, KeyTerms(name="other", mode="test"), actor=audit.SYSTEM
        )
    say(caller, "makes the project", headers={"x-flo2-project": "shop"})
    shop = {"x-flo2-project": "shop"}
    with manager(caller) as http:
        collect(
            caller,
            http,
            collect={
                "projects": ["shop"],
                "gateway_keys": [ids.show("key", other.record.pk)],
                "models": ["groq/*"],
                "finish_reasons": ["stop"],
            },
        )
        key = other.text.reveal()
        fits = say(caller, "fits", key=key, headers=shop)
        say(caller, "another key", headers=shop)
        say(caller, "another project", key=key)
        say(caller, "another model", key=key, headers=shop, model="openai/gpt-4o-mini")
        say(caller, "Tell me 40 words.", key=key, headers=shop, max_tokens=2)

        assert [one["id"] for one in listed(http)] == [fits]
        told = http.get("/api/v1/settings").json()["collect"]
        assert told["projects"] == ["shop"]
        assert told["gateway_keys"] == [ids.show("key", other.record.pk)]


def test_a_share_takes_about_so_many_calls_and_the_same_ones(caller: Caller) -> None:
    quarter = Filter(share=0.25)
    calls = [ids.new() for _ in range(4000)]
    taken = [one for one in calls if quarter.takes(one, project=None, lineage=None, policy="")]

    assert 850 < len(taken) < 1150
    assert all(quarter.takes(one, project=None, lineage=None, policy="") for one in taken)


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"content_cap": 0}, "content_cap"),
        ({"retention_days": 4000}, "retention_days"),
        ({"collect": {"share": 0}}, "share"),
        ({"collect": {"projects": ["nowhere"]}}, "projects"),
        ({"collect": {"gateway_keys": ["key_nobody"]}}, "gateway_keys"),
        ({"collect": {"colour": "red"}}, "collect.colour"),
        ({"collect": {"finish_reasons": ["bored"]}}, "collect.finish_reasons.0"),
    ],
)
def test_a_wish_that_makes_no_sense_is_refused_by_name(
    caller: Caller, wish: Json, field: str
) -> None:
    with manager(caller) as http:
        answer = http.patch("/api/v1/settings", json={"store_content": True, **wish})

        assert answer.status_code == 400
        assert answer.json()["error"]["param"] == field
        assert http.get("/api/v1/settings").json()["store_content"] is False


def test_browsing_pages_filters_by_feedback_and_deletes_one(caller: Caller) -> None:
    with manager(caller) as http:
        collect(caller, http)
        calls = [say(caller, f"number {n}", stream=n % 2 == 0) for n in range(5)]
        caller.gateway.settle()
        with caller.gateway.client(caller.test_key) as own:
            for call, score in ((calls[1], 1), (calls[3], -1)):
                told = own.post("/v1/feedback", json={"call_id": call, "score": score})
                assert told.status_code in {200, 201}, told.text

        assert [one["id"] for one in listed(http, min_score="0.5")] == [calls[1]]
        assert last_words(exported(http, min_score="0.5")) == ["number 1"]
        collecting.writer.flush()
        first = http.get("/api/v1/training-data?mode=test&limit=2").json()
        second = http.get(
            "/api/v1/training-data", params={"mode": "test", "limit": 2, "cursor": first["next"]}
        ).json()
        both = [one["id"] for one in (*first["results"], *second["results"])]
        assert both == list(reversed(calls))[:4]
        assert last_words(exported(http)) == [f"number {n}" for n in range(5)]
        assert http.get("/api/v1/training-data").json() == {"results": [], "next": None}  # live

        assert http.delete(f"/api/v1/training-data/{calls[0]}").status_code == 204
        assert len(listed(http)) == 4
        for odd in ("min_score=2", "limit=many", "from=then", "mood=good", "cursor=x"):
            assert http.get(f"/api/v1/training-data?{odd}").status_code in {400, 404}


@pytest.mark.parametrize("fault", ["429", "cut@3", "empty"])
def test_calls_that_failed_or_broke_off_are_not_collected(caller: Caller, fault: str) -> None:
    with manager(caller) as http:
        collect(caller, http)
        body = {
            "model": GROQ, "stream": True, "messages": [{"role": "user", "content": "Hi"}],
            "provider": {"allow_fallbacks": False},
        }  # fmt: skip
        with caller.gateway.client(caller.test_key) as own:
            own.post(CHAT.path, json=body, headers={"x-flo2-simulate": f"groq={fault}"})

        assert listed(http) == []


def test_a_call_that_cannot_be_told_as_an_example_is_left_out(caller: Caller) -> None:
    with manager(caller) as http:
        collect(caller, http)
        say(caller, "twice", n=2, model="openai/gpt-4o-mini")

        assert listed(http) == []
        assert collecting.room.left == collecting.MOST_REMEMBERED


def test_what_does_not_fit_into_memory_is_not_collected_and_no_call_fails(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Room(600)
    monkeypatch.setattr(collecting, "room", small)
    with manager(caller) as http:
        collect(caller, http)
        for stream in (False, True):
            say(caller, "Tell me 200 words about the sea.", stream=stream)

        assert listed(http) == []
        assert small.left == 600
