"""Calls of a test key on real sockets, towards providers that say what a test has them say."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

from django.conf import settings

from accounts import keyring
from billing.ledger import Ledger, OpenCall
from routing.execution.story import Story
from routing.health.state import State
from routing.options import NONE, Options
from routing.plan.candidates import Candidate
from routing.plan.plan import Plan
from routing.plan.ranking import Ranking
from routing.providers import catalog_index, prices
from routing.thoughts import Thoughts
from routing.upstream.pool import Pool
from routing.wire.openai import request
from tests.factories.billing import CallOpenedFactory
from tests.routing.plan.builders import caller, chat

GROQ, CEREBRAS, OPENAI = (
    "groq/llama-3.3-70b-versatile", "cerebras/gpt-oss-120b", "openai/gpt-4.1-mini",
)  # fmt: skip
TODAY = date(2026, 11, 20)
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)
LAST_CHUNK = b"0\r\n\r\n"
DONE = b"data: [DONE]\n\n"

Script = Callable[[asyncio.StreamWriter], Awaitable[None]]


def event(text: str | None = None, *, finish: str | None = None, **fields: Any) -> bytes:
    """A chunk of a completion as a server-sent event."""
    delta = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {"id": "theirs", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}
    return b"data: %b\n\n" % json.dumps({**chunk, **fields}).encode()


def chunk(content: bytes) -> bytes:
    """A piece of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(content), content)


def says(*parts: bytes) -> Script:
    """A provider that writes these bytes and leaves the connection open."""

    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(b"".join(parts))
        await writer.drain()

    return script


def answers(content: object, status: bytes = b"200 OK") -> Script:
    """A whole answer in JSON."""
    body = json.dumps(content).encode()
    head = b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return says(head % (status, len(body)), body)


def completion(text: str = "Hello.", **fields: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {
        "id": "theirs", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
        **fields,
    }  # fmt: skip


async def silent(writer: asyncio.StreamWriter) -> None:
    """A provider that takes the request and says nothing."""


class Heard:
    """An outlet that keeps what it was given."""

    is_full = False

    def __init__(self) -> None:
        self.text = b""

    def write(self, piece: bytes) -> None:
        self.text += piece

    async def drained(self) -> None:
        """It takes everything."""


class World:
    """A pool, books without a shipper, and providers that follow their scripts in turn."""

    def __init__(self, folder: Path) -> None:
        self.scripts: dict[str, list[Script]] = {}
        self.asked: list[str] = []
        self.pool = Pool()
        self.ledger = Ledger(folder)
        self.thoughts, self.health = Thoughts(), State()
        self.writers: list[asyncio.StreamWriter] = []

    def story(
        self,
        *,
        options: Options = NONE,
        purpose: str = "user",
        of: type[OpenCall] | None = None,
        **body: Any,
    ) -> Story:
        """A call that is on the books; give it fields of a request."""
        sent = {"model": GROQ, "messages": [{"role": "user", "content": "Hi"}], **body}
        who, now = caller(), time.monotonic()
        opened = CallOpenedFactory.build(tenant=who.tenant_id, mode="test", purpose=purpose)
        return Story(
            chat=request.read(json.dumps(sent).encode()),
            caller=who,
            options=options,
            ring=keyring.EMPTY,
            pool=self.pool,
            books=of(self.ledger, opened) if of else self.ledger.open_call(opened),
            thoughts=self.thoughts,
            health=self.health.of("test", who.tenant_id),
            body_id="ours",
            strategy="balanced",
            planned_reason="cheapest",
            today=TODAY,
            began=now,
            ends_by=now + 20,
        )

    def outcomes(self, story: Story) -> list[tuple[str, str]]:
        return [(a.provider, a.outcome) for a in story.books.attempts]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().lower().split("\r\n")
                size = next(
                    int(li.split(":")[1]) for li in lines if li.startswith("content-length")
                )
                await reader.readexactly(size)
                slug = lines[0].split("/")[1]
                self.asked.append(slug)
                await self.scripts[slug].pop(0)(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@asynccontextmanager
async def world(folder: Path) -> AsyncIterator[World]:
    its, before = World(folder), settings.FLO2_SANDBOX_URL
    server = await asyncio.start_server(its.serve, "127.0.0.1")
    settings.FLO2_SANDBOX_URL = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield its
    finally:
        settings.FLO2_SANDBOX_URL = before
        its.pool.close()
        server.close()
        for writer in its.writers:
            writer.close()
        await asyncio.sleep(0)
        its.ledger.journal.close()


def candidate(target: str = GROQ) -> Candidate:
    offer = catalog_index.current().pinned(target)
    assert offer
    return Candidate(offer, None, prices.listed(*offer.place, today=TODAY), 0.001)


def plan(*targets: str, **fields: Any) -> Plan:
    return Plan(
        candidates=tuple(map(candidate, targets)),
        excluded=(),
        strategy="balanced",
        reason="cheapest",
        ranking=Ranking(chat=chat()),
        **{"retries": 0, **fields},
    )


RNG = Random(1)
