"""Streams from provider to caller: each caller hears its own, whole, however it ends."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from routing import relaying
from routing.execution import streaming
from routing.execution.streaming import OpenStream
from routing.upstream import connection
from routing.upstream.connection import Connection
from tests.routing.execution.world import (
    CHUNKED,
    DONE,
    GROQ,
    LAST_CHUNK,
    Heard,
    candidate,
    chunk,
    event,
    says,
    world,
)

UNTIL_CLOSED = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
STRAY = LAST_CHUNK + b"HTTP/1.1 200 OK\r\n"
ENDED_UNSAID = says(CHUNKED, chunk(event(finish="stop")), LAST_CHUNK)  # no text and no [DONE]


async def test_a_stream_that_ended_unsaid_takes_nothing_of_the_next_calls_stream(
    tmp_path: Path,
) -> None:
    go_on = asyncio.Event()

    async def secret(writer: asyncio.StreamWriter) -> None:
        await says(CHUNKED, chunk(event("for ")))(writer)
        await go_on.wait()
        await says(chunk(event("the other")), chunk(event(finish="stop") + DONE), LAST_CHUNK)(
            writer
        )

    async with world(tmp_path) as its:
        its.scripts["groq"] = [ENDED_UNSAID, secret]
        first, second = its.story(stream=True), its.story(stream=True)
        empty = await streaming.run(first, candidate(GROQ), 1, "primary")
        told = await streaming.run(second, candidate(GROQ), 1, "primary")
        assert isinstance(empty, OpenStream)
        assert isinstance(told, OpenStream)
        assert empty.connection is told.connection  # it was lent again meanwhile

        mine, others = Heard(), Heard()
        await asyncio.wait_for(relaying.relay(first, empty, mine), 2)
        go_on.set()
        await relaying.relay(second, told, others)

        assert b"other" not in mine.text
        assert mine.text.count(DONE) == 1
        assert b"for " in others.text
        assert b"the other" in others.text
        assert (its.outcomes(first), its.outcomes(second)) == (
            [("groq", "empty")],
            [("groq", "answered")],
        )


async def test_an_exchange_that_is_over_cannot_be_poured(tmp_path: Path) -> None:
    async with world(tmp_path) as its:
        its.scripts["groq"] = [ENDED_UNSAID]
        opened = await streaming.run(its.story(stream=True), candidate(GROQ), 1, "primary")
        assert isinstance(opened, OpenStream)

        with pytest.raises(RuntimeError, match="over"):
            await opened.connection.pour(lambda _: True)


async def test_a_stream_of_which_much_has_come_before_it_is_poured_goes_on(tmp_path: Path) -> None:
    long, may_end = event("x" * (connection.BUFFERED_BYTES + 1)), asyncio.Event()

    async def much(writer: asyncio.StreamWriter) -> None:
        await says(CHUNKED, chunk(event("a")))(writer)
        await may_end.wait()
        writer.write(chunk(long) * 8 + chunk(event(finish="stop") + DONE) + LAST_CHUNK)
        await writer.drain()

    async with world(tmp_path) as its:
        its.scripts["groq"] = [much]
        story = its.story(stream=True)
        opened = await streaming.run(story, candidate(GROQ), 1, "primary")
        assert isinstance(opened, OpenStream)
        may_end.set()
        while not opened.connection._paused:  # noqa: ASYNC110  a transport has no event for it
            await asyncio.sleep(0.001)

        heard = Heard()
        await asyncio.wait_for(relaying.relay(story, opened, heard), 5)

        assert heard.text.count(b"x") >= 8 * connection.BUFFERED_BYTES
        assert heard.text.endswith(DONE)


@pytest.mark.parametrize(
    ("head", "frame", "last"),
    [(CHUNKED, chunk, LAST_CHUNK), (UNTIL_CLOSED, bytes, b""), (CHUNKED, chunk, STRAY)],
    ids=["chunked", "until the connection is closed", "with a stray byte behind it"],
)
@pytest.mark.parametrize("is_early", [True, False], ids=["before it is poured", "meanwhile"])
async def test_a_stream_whose_provider_closes_the_connection_is_told_to_its_end(
    tmp_path: Path, head: bytes, frame: Callable[[bytes], bytes], last: bytes, *, is_early: bool
) -> None:
    may_end = asyncio.Event()

    async def script(writer: asyncio.StreamWriter) -> None:
        await says(head, frame(event("a")))(writer)
        await may_end.wait()
        await says(frame(event("b", finish="stop")), last)(writer)  # and no [DONE]
        writer.close()

    async with world(tmp_path) as its:
        its.scripts["groq"] = [script]
        story = its.story(stream=True)
        opened = await streaming.run(story, candidate(GROQ), 1, "primary")
        assert isinstance(opened, OpenStream)
        asyncio.get_running_loop().call_later(0.0 if is_early else 0.1, may_end.set)
        while is_early and opened.connection.is_open:  # noqa: ASYNC110  a transport has no event for it
            await asyncio.sleep(0.001)

        heard = Heard()
        await asyncio.wait_for(relaying.relay(story, opened, heard), 2)

        assert (heard.text.count(b'"b"'), heard.text.endswith(DONE)) == (1, True)
        assert its.outcomes(story) == [("groq", "answered")]


async def test_a_connection_is_read_again_though_its_last_reader_could_not_keep_up(
    tmp_path: Path,
) -> None:
    class Full(Heard):
        is_full = True

        async def drained(self) -> None:
            await asyncio.Event().wait()  # it never reads on

    answer = says(CHUNKED, chunk(event("a")), chunk(event(finish="stop") + DONE), LAST_CHUNK)
    go_on = asyncio.Event()

    async def in_parts(writer: asyncio.StreamWriter) -> None:
        await says(CHUNKED, chunk(event("a")))(writer)
        await go_on.wait()
        await says(chunk(event(finish="stop") + DONE), LAST_CHUNK)(writer)

    async with world(tmp_path) as its:
        its.scripts["groq"] = [in_parts, answer]
        story = its.story(stream=True)
        opened = await streaming.run(story, candidate(GROQ), 1, "primary")
        assert isinstance(opened, OpenStream)
        go_on.set()
        await relaying.relay(story, opened, Full())

        again = streaming.run(its.story(stream=True), candidate(GROQ), 1, "primary")
        found = await asyncio.wait_for(again, 5)

        assert isinstance(found, OpenStream)
        assert found.connection is opened.connection
        found.left()
        for task in list(relaying._tasks):
            task.cancel()


async def test_a_sign_of_life_that_cannot_be_given_stops_no_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "SIGN_SECONDS", 0.0)

    class Gone(Heard):
        def write(self, piece: bytes) -> None:
            if piece == relaying.KEEP_ALIVE:
                raise ConnectionError("nobody is there")

    async with world(tmp_path) as its:
        its.scripts["groq"] = [says(CHUNKED, chunk(event("a")))] * 2
        story = its.story(stream=True)
        opened = await streaming.run(story, candidate(GROQ), 1, "primary")
        assert isinstance(opened, OpenStream)
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(relaying.relay(story, opened, Gone()), 5)

        ticker = its.pool._ticker
        assert not ticker.cancelled()
        assert its.outcomes(story) == [("groq", "cancelled")]


async def test_a_clock_that_trips_goes_on(tmp_path: Path) -> None:
    async with world(tmp_path) as its:
        before = its.pool._ticker
        its.pool.busy.add(cast("Connection", object()))  # nothing that can be looked at
        with pytest.raises(AttributeError):
            its.pool._tick()
        its.pool.busy.clear()

        assert its.pool._ticker is not before
        before.cancel()


async def test_a_stream_that_comes_to_no_content_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "MOST_PREAMBLE_BYTES", 100_000)

    async def babbles(writer: asyncio.StreamWriter) -> None:
        await says(CHUNKED, chunk(event("") * 10_000))(writer)

    async with world(tmp_path) as its:
        its.scripts["groq"] = [babbles]
        story = its.story(stream=True)
        await asyncio.wait_for(streaming.run(story, candidate(GROQ), 1, "primary"), 5)

        assert its.outcomes(story) == [("groq", "server")]
