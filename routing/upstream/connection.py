"""One HTTP/1.1 connection to a provider, and the one exchange that it is busy with.

On asyncio and httptools, with limits on heads, bodies and silence, and back-pressure on streams.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

import httptools

HEAD_BYTES: Final = 64 * 1024
HEAD_FIELDS: Final = 200
INFORMATIONAL: Final = 10  # 1xx answers before the real one
BUFFERED_BYTES: Final = 256 * 1024  # of a stream, before reading pauses
SIGN_SECONDS: Final = 15.0  # of silence, after which a reader is told that there is nothing yet
SILENCE: Final = b":"  # what a reader is told then; never a part of an answer

Sink = Callable[[bytes], bool]


class Trouble(Exception):
    """The exchange with a provider failed below HTTP."""


class TimedOut(Trouble):
    """The provider took too long: to accept, to begin, or between two bytes."""


class Broken(Trouble):
    """No connection, or one that ended before the answer did."""


class Malformed(Trouble):
    """What came is not an answer in HTTP, or larger than any honest one."""


class Origin(NamedTuple):
    """Where connections go. `guarded` ones may only reach public addresses."""

    scheme: str
    host: str
    port: int
    guarded: bool


class Limits(NamedTuple):
    """What an answer may take."""

    first_s: float  # until it begins: its first byte, or a stream's first content
    silence_s: float  # between two bytes, after that
    ends_by: float  # on the monotonic clock
    body_bytes: int = 32 * 2**20  # of an answer that is not streamed


NO_LIMITS: Final = Limits(0.0, 0.0, 0.0)


class Keeper(Protocol):
    """Where connections belong: the pool."""

    loop: asyncio.AbstractEventLoop
    busy: "set[Connection]"

    def keep(self, connection: "Connection") -> None: ...

    def lost(self, connection: "Connection") -> None: ...


class Connection(asyncio.Protocol):
    """One connection, and the one exchange that it is busy with."""

    __slots__ = (
        "_chunks",
        "_is_streamed",
        "_limits",
        "_parser",
        "_paused",
        "_pool",
        "_sink",
        "_sink_problem",
        "_size",
        "_transport",
        "_trouble",
        "_waiter",
        "deadline",
        "has_begun",
        "head_size",
        "headers",
        "idle_since",
        "informational",
        "is_done",
        "keeps_alive",
        "origin",
        "quiet_since",
        "status",
        "was_used",
    )  # fmt: skip

    def __init__(self, pool: Keeper, origin: Origin) -> None:
        self._pool, self.origin = pool, origin
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.was_used = False
        self.idle_since = 0.0
        self._parser = httptools.HttpResponseParser(self)  # of one answer after the other
        self._reset()

    def _reset(self) -> None:
        self._chunks: deque[bytes] = deque()
        self._trouble: Trouble | None = None
        self._sink: Sink | None = None
        self._sink_problem: Exception | None = None
        self._is_streamed = self._paused = self.is_done = self.keeps_alive = False
        self.has_begun = False
        self._size = self.head_size = self.status = self.informational = 0
        self._limits = NO_LIMITS
        self.headers: list[tuple[bytes, bytes]] = []
        self.deadline = self.quiet_since = 0.0

    # What the caller does -------------------------------------------------------------------------

    def send(self, head: bytes, body: bytes, *, stream: bool, limits: Limits) -> None:
        """Write a request; `head`, `completed` and `more` wait for the answer."""
        if self.was_used:
            self._reset()
        self.was_used = True
        self._is_streamed, self._limits = stream, limits
        self.deadline = min(time.monotonic() + limits.first_s, limits.ends_by)
        self._pool.busy.add(self)
        if self._transport is None:
            raise Broken("the connection was closed")
        self._transport.writelines((head, body))

    async def head(self) -> int:
        """Wait for the head of a streamed answer: its status. Raises Trouble."""
        while not self.status:
            await self._wait()
        return self.status

    async def completed(self) -> None:
        """Wait for the end of the answer. Raises Trouble."""
        self._is_streamed = False
        if self._paused:
            self._resume()
        while not self.is_done:
            await self._wait()

    def body(self) -> bytes:
        """The body of a completed answer."""
        return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)

    async def more(self) -> bytes:
        """The bytes that have come since the last time: at least one, empty at the end.

        After 15 seconds of silence it is the very object SILENCE. Raises Trouble.
        """
        while not self._chunks:
            if self.is_done:
                return b""
            await self._wait()
            if not self._chunks and not self.is_done:
                return SILENCE
        block = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._size = 0
        if self._paused:
            self._resume()
        return block

    async def pour(self, sink: Sink) -> None:
        """Hand every block to `sink` the moment it comes, until it returns False or all is said.

        `sink` is called by the transport itself, without a turn of the loop in between. After 15
        seconds of silence it gets SILENCE. Raises Trouble, and whatever `sink` raises.
        """
        has_ended = self.is_done and self._transport is None  # and the provider has closed, too
        if not (self in self._pool.busy or self._trouble or has_ended):
            raise RuntimeError("the exchange is over: what comes now is another one's answer")
        self._sink = sink
        if self._paused:  # more had come than is kept for one who does not read yet
            self._resume()
        if self._chunks:
            self._give()
        while self._sink is not None and not self.is_done:
            await self._wait()
        if self._chunks:  # they came with the end, and something behind it
            self._give()
        self._sink = None
        if self._sink_problem:
            raise self._sink_problem

    def _give(self) -> None:
        """The bytes that have come, to the sink."""
        block = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._size = 0
        self._hand(block)

    def _hand(self, block: bytes) -> None:
        """A block or SILENCE, to the sink, if there still is one."""
        if self._sink is None:
            return
        try:
            wants_more = self._sink(block)
        except Exception as problem:  # noqa: BLE001  raised where `pour` was called
            self._sink_problem, wants_more = problem, False
        if not wants_more:
            self._sink = None
            self._wake()

    def pause(self) -> None:
        """Read no more for now: the one we read for cannot keep up."""
        if self._transport and not self._paused:
            self._paused = True
            self.deadline = self._limits.ends_by
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._paused:
            self._resume()

    def begin(self) -> None:
        """A stream's first content has come: from now on silence counts."""
        self.has_begun = True
        self._expect_more()

    def header(self, name: bytes) -> bytes:
        """The first value of a header by its lower-case name, or empty."""
        return next((value for key, value in self.headers if key == name), b"")

    def finish(self) -> None:
        """End of the exchange: back to the pool if the answer is complete, else closed."""
        self._pool.busy.discard(self)
        if self.is_done and self.keeps_alive and self._transport and not self._trouble:
            if self._paused:  # for a reader who is still busy with the last of it
                self._resume()
            self._pool.keep(self)
        else:
            self.close()

    async def completed_soon(self, seconds: float) -> None:
        """The last event has come: give the end of the message a moment to follow it."""
        if self.is_done or self._trouble:
            return
        self.deadline = min(self.deadline, time.monotonic() + seconds)
        try:
            await self.completed()
        except Trouble:
            self.close()

    def close(self) -> None:
        self._pool.busy.discard(self)
        if self._transport:
            self._transport.abort()
            self._transport = None

    def fail(self, trouble: Trouble) -> None:
        """End the exchange with this error: whoever waits gets it."""
        if not self.is_done and self._trouble is None:
            self._trouble = trouble
        self.close()
        self._wake()

    def give_sign(self, now: float) -> None:
        """Wake the reader of a stream that has been silent for a while."""
        if self.has_begun and self._is_streamed and now - self.quiet_since >= SIGN_SECONDS:
            self.quiet_since = now
            if self._sink is not None:
                self._hand(SILENCE)
            else:
                self._wake()

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    @property
    def unsent_bytes(self) -> int:
        """How much of the request has not left this process."""
        return self._transport.get_write_buffer_size() if self._transport else 0

    # What the transport and the parser tell -------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's own kind of transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self.was_used and not self.is_done:
            if self._ends_with_connection():
                self.is_done = True
            elif self._trouble is None:
                self._trouble = Broken(str(exc) if exc else "the provider closed the connection")
            self._wake()
        self._pool.lost(self)

    def data_received(self, data: bytes) -> None:
        if self.is_done or not self.was_used:  # nobody asked for this
            self.close()
            return
        if self.has_begun:
            self._expect_more()
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.fail(Malformed(f"not HTTP: {type(error).__name__}"))
        except Trouble as trouble:
            self.fail(trouble)
        else:
            if self._sink is not None:
                self._pour_on()
            elif self._is_streamed and self._chunks:
                self._wake()

    def _pour_on(self) -> None:
        if self._chunks:
            self._give()
        if self.is_done:
            self._sink = None
            self._wake()

    def on_message_begin(self) -> None:
        if self.is_done:
            raise Malformed("a second answer to one request")

    def on_header(self, name: bytes, value: bytes) -> None:
        self.head_size += len(name) + len(value)
        if self.head_size > HEAD_BYTES or len(self.headers) >= HEAD_FIELDS:
            raise Malformed("a head of more than 64 KB or 200 fields")
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200:
            return
        self.status = status
        if self._is_streamed:
            self._wake()

    def on_body(self, data: bytes) -> None:
        if not (self.has_begun or self._is_streamed):
            self.begin()
        self._chunks.append(data)
        self._size += len(data)
        if not self._is_streamed:
            if self._size > self._limits.body_bytes:
                raise Malformed(f"a body of more than {self._limits.body_bytes // 2**20} MB")
        elif self._size > BUFFERED_BYTES and self._sink is None:  # a sink pauses by itself
            self.pause()

    def on_message_complete(self) -> None:
        if not self.status:  # an informational answer
            self.informational += 1
            if self.informational > INFORMATIONAL:
                raise Malformed("more than ten informational answers")
            self.headers = []
            return
        self.is_done = True
        self.keeps_alive = self._parser.should_keep_alive()
        if self._sink is None:
            self._wake()

    def _ends_with_connection(self) -> bool:
        """Whether the answer is one that lasts until the connection is closed."""
        framed = {b"content-length", b"transfer-encoding"}
        return bool(self.status) and not any(name in framed for name, _ in self.headers)

    def _expect_more(self) -> None:
        """The next byte has to come in time."""
        self.quiet_since = time.monotonic()
        self.deadline = min(self.quiet_since + self._limits.silence_s, self._limits.ends_by)

    def _resume(self) -> None:
        self._paused = False
        if self.has_begun:
            self._expect_more()
        if self._transport:
            self._transport.resume_reading()

    async def _wait(self) -> None:
        if self._trouble:
            raise self._trouble
        self._waiter = self._pool.loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
        if self._trouble and not self._chunks:
            raise self._trouble

    def _wake(self) -> None:
        if self._waiter and not self._waiter.done():
            self._waiter.set_result(None)
