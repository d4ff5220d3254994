"""What is booked of attempts that failed, broke, or reported what nobody can believe."""

import asyncio
import json
import logging
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from billing import money
from billing.facts import AttemptEnded
from routing import dialects, settlement
from routing.execution import fallback, streaming, whole
from routing.execution.exhausted import AllFailed
from routing.execution.story import Timeouts
from routing.execution.streaming import OpenStream
from routing.upstream import send
from routing.upstream.failures import Failure
from tests.routing.execution.world import (
    CEREBRAS,
    CHUNKED,
    GROQ,
    LAST_CHUNK,
    RNG,
    Script,
    World,
    answers,
    candidate,
    chunk,
    completion,
    event,
    plan,
    says,
    silent,
    world,
)

SECRET = "the text that nobody may read in a log"
QUICK = Timeouts(first_token_s=0.1, first_token_long_s=0.1, idle_s=0.1)
USAGE = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}


async def closed(writer: asyncio.StreamWriter) -> None:
    """A provider that goes away once it has the request."""
    writer.close()


async def failed(its: World, script: Script, *, stream: bool = False) -> AttemptEnded:
    """The record of an attempt of Groq that fails."""
    its.scripts["groq"] = [script]
    story = its.story(stream=stream)
    story.timeouts = QUICK
    run: Any = streaming.run if stream else whole.run
    found = await run(story, candidate(GROQ), 1, "primary")
    assert isinstance(found, Failure)
    (fact,) = story.books.attempts
    return fact


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("script", "outcome"), [(silent, "timeout"), (closed, "network")])
async def test_what_was_sent_and_never_answered_may_be_billed(
    tmp_path: Path, script: Script, outcome: str, stream: bool
) -> None:
    async with world(tmp_path) as its:
        fact = await failed(its, script, stream=stream)

    assert (fact.outcome, fact.usage_source, fact.cost_status) == (
        outcome,
        "estimated",
        "estimated",
    )
    assert fact.usage.input_uncached > 0
    assert fact.cost


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("status", [b"408 Timeout", b"500 Oops", b"504 Gateway Timeout"])
async def test_what_was_refused_costs_nothing(tmp_path: Path, status: bytes, stream: bool) -> None:
    refusal = answers({"error": {"message": "no"}}, status)
    async with world(tmp_path) as its:
        fact = await failed(its, refusal, stream=stream)

    assert (fact.usage_source, fact.cost, fact.cost_status) == ("none", Decimal(0), "priced")


async def test_what_was_refused_in_half_a_sentence_costs_nothing(tmp_path: Path) -> None:
    async def torn(writer: asyncio.StreamWriter) -> None:
        await says(b"HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\n", b"half")(writer)
        writer.close()

    async with world(tmp_path) as its:
        fact = await failed(its, torn, stream=True)

    assert (fact.outcome, fact.http_status, fact.cost) == ("overloaded", 503, Decimal(0))


async def test_what_was_never_sent_costs_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as its:
        story = its.story()
        dead = await asyncio.start_server(its.serve, "127.0.0.1")
        settings.FLO2_SANDBOX_URL = f"http://127.0.0.1:{dead.sockets[0].getsockname()[1]}"
        dead.close()
        await dead.wait_closed()
        await whole.run(story, candidate(GROQ), 1, "primary")
        (fact,) = story.books.attempts

    assert (fact.outcome, fact.usage_source, fact.cost) == ("network", "none", Decimal(0))


@pytest.mark.parametrize(
    ("seconds", "asked", "outcomes"),
    [(0.0, 3, ["answered"]), (0.2, 2, ["network"])],
    ids=["at once", "after a while"],
)
async def test_only_a_kept_connection_that_is_dead_at_once_is_replaced_unbooked(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    asked: int,
    outcomes: list[str],
) -> None:
    monkeypatch.setattr(send, "STALE_SECONDS", 0.1)

    async def dies(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds)
        writer.close()

    async with world(tmp_path) as its:
        its.scripts["groq"] = [answers(completion()), dies, answers(completion())]
        await whole.run(its.story(), candidate(GROQ), 1, "primary")
        story = its.story()
        await whole.run(story, candidate(GROQ), 1, "primary")

        assert len(its.asked) == asked
        assert [a.outcome for a in story.books.attempts] == outcomes


async def test_usage_that_was_reported_before_a_stream_failed_is_charged(tmp_path: Path) -> None:
    async def counted(writer: asyncio.StreamWriter) -> None:
        await says(CHUNKED, chunk(event(usage=USAGE, choices=[])))(writer)
        writer.close()

    async with world(tmp_path) as its:
        fact = await failed(its, counted, stream=True)

    assert (fact.outcome, fact.usage_source, fact.cost_status) == ("network", "reported", "priced")
    assert fact.usage.total_tokens == 1500


MAD = {"prompt_tokens": 2**53 - 11, "completion_tokens": 10, "total_tokens": 2**53 - 1}


async def test_a_whole_answer_with_mad_usage_is_charged_by_estimate(tmp_path: Path) -> None:
    async with world(tmp_path) as its:
        its.scripts["groq"] = [answers(completion("x" * 400, usage=MAD))]
        story = its.story()
        found = await fallback.walk(story, plan(GROQ), whole.run, rng=RNG)
        settled = settlement.succeed(story, found.ended, finish_reason="stop")

        assert its.ledger.open_calls == set()
    assert (settled.status, settled.usage_source, settled.cost_status) == (
        "succeeded",
        "estimated",
        "estimated",
    )
    assert 50 < settled.usage.output_tokens < 400
    assert settled.cost
    money.to_pico(settled.cost)


async def test_a_stream_with_mad_usage_is_charged_by_estimate(tmp_path: Path) -> None:
    parts = (event("x" * 400), event(finish="stop", usage=MAD), b"data: [DONE]\n\n")
    async with world(tmp_path) as its:
        its.scripts["groq"] = [says(CHUNKED, *map(chunk, parts), LAST_CHUNK)]
        story = its.story(stream=True)
        opened = await fallback.walk(story, plan(GROQ), streaming.run, rng=RNG)
        assert isinstance(opened, OpenStream)
        await opened.connection.pour(lambda block: bool(opened.relay.feed(block)) or True)
        fact = opened.answered()

    assert (fact.usage_source, fact.cost_status) == ("estimated", "estimated")
    assert fact.cost
    assert fact.cost < Decimal("0.01")


class TestBroken:
    """Something of ours cannot write or read a candidate's dialect: the next one is asked."""

    @staticmethod
    def breaking(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        """As a bug of ours would: for the first candidate alone."""
        sound = getattr(dialects, name)

        def broken(chat: object, offer: object, *rest: object) -> object:
            parts = (chat, offer, *rest)
            if "groq" in {getattr(getattr(p, "provider", None), "slug", "") for p in parts}:
                raise KeyError(SECRET)
            return sound(*parts)

        monkeypatch.setattr(dialects, name, broken)

    @pytest.mark.parametrize(("name", "is_sent"), [("write_request", False), ("read_reply", True)])
    async def test_whole(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        name: str,
        is_sent: bool,
    ) -> None:
        self.breaking(monkeypatch, name)
        async with world(tmp_path) as its:
            its.scripts = {s: [answers(completion())] for s in ("groq", "cerebras")}
            story = its.story()
            with caplog.at_level(logging.ERROR):
                found = await fallback.walk(story, plan(GROQ, CEREBRAS), whole.run, rng=RNG)

            assert found.candidate.target == CEREBRAS
            assert its.outcomes(story) == [("groq", "server"), ("cerebras", "answered")]
            assert bool(story.books.attempts[0].cost) == is_sent
            assert bool(story.health.breakers) == is_sent  # what was never sent is not their fault
        told = [{**vars(record)} for record in caplog.records]
        assert [one["problem"] for one in told] == ["KeyError"]
        assert SECRET not in json.dumps(told, default=str)

    @pytest.mark.parametrize("name", ["write_request", "relay"])
    async def test_streamed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        self.breaking(monkeypatch, name)
        begun = says(CHUNKED, chunk(event("a")))
        async with world(tmp_path) as its:
            its.scripts = {"groq": [begun], "cerebras": [begun]}
            story = its.story(stream=True)
            opened = await fallback.walk(story, plan(GROQ, CEREBRAS), streaming.run, rng=RNG)

            assert opened.candidate.target == CEREBRAS
            assert its.outcomes(story) == [("groq", "server")]
            assert len(its.pool.busy) == 1
            opened.left()

    async def test_a_call_with_no_other_candidate_fails_by_name(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.breaking(monkeypatch, "write_request")
        async with world(tmp_path) as its:
            with pytest.raises(AllFailed) as end:
                await fallback.walk(its.story(), plan(GROQ), whole.run, rng=RNG)

        assert (end.value.http_status, end.value.error_code) == (502, "provider_error")
