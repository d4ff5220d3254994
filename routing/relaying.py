"""A stream's way from the provider to the caller, and its end on the books."""

import asyncio
from functools import partial
from typing import Protocol

from accounts.errors import GatewayError
from routing import dialects, settlement
from routing.cache import passing
from routing.execution import streaming
from routing.execution.exhausted import AllFailed
from routing.execution.story import Story
from routing.execution.streaming import OpenStream
from routing.upstream.connection import SILENCE, Trouble
from routing.wire.failed import StreamFailed
from routing.wire.sse import EventTooLong

SIGN_SECONDS = 15.0  # between signs of life while nobody has answered yet
KEEP_ALIVE = b": keep-alive\n\n"

_tasks: set[asyncio.Task[None]] = set()


class Outlet(Protocol):
    """The caller's side of a stream: takes bytes at once, and says when it has too many."""

    @property
    def is_full(self) -> bool: ...

    def write(self, piece: bytes) -> None:
        """Nothing happens for an empty piece."""

    async def drained(self) -> None: ...


class Nobody:
    """An outlet whose caller has left."""

    is_full = False

    def write(self, piece: bytes) -> None:
        """Nobody reads it."""

    async def drained(self) -> None:
        """It takes everything."""


async def pending(story: Story, walk: "asyncio.Task[OpenStream]", out: Outlet) -> None:
    """A stream that began without content: signs of life, then the answer or the error."""
    try:
        while not walk.done():
            out.write(KEEP_ALIVE)
            await asyncio.wait({walk}, timeout=SIGN_SECONDS)
        opened = walk.result()
    except GatewayError as error:
        settlement.end_with(story, error)
        out.write(_error_event(story, error))
        return
    except BaseException as error:
        await call_off(walk)
        settlement.end_with(story, error)
        raise
    await relay(story, opened, out)


async def relay(story: Story, opened: OpenStream, out: Outlet) -> None:
    """The provider's pieces, the moment they come; the last one once the call is settled."""
    events = opened.relay
    try:
        out.write(opened.first)
        if not opened.is_over:
            if not events.is_done:
                await opened.connection.pour(partial(_pass_on, opened, out))
            out.write(events.end())
        answered = opened.answered()
        settled = settlement.succeed(story, answered, finish_reason=events.finish_reason)
        passing.keep_stream(story.keep, events, settled)
        await story.books.durable()
    except (Trouble, StreamFailed, EventTooLong) as problem:
        failure = streaming.of_problem(problem)
        opened.cut(failure)
        error = AllFailed([(opened.candidate.target, failure)])
        settlement.end_with(story, error)
        out.write(_error_event(story, error))
    except GatewayError as error:  # the end could not be written down: the caller is told first
        out.write(_error_event(story, error))
        settlement.end_with(story, error)
    except BaseException as error:  # the caller left
        opened.left()
        settlement.end_with(story, error)
        raise
    else:
        out.write(events.close(answered.usage, settled.cost))
        story.is_told = True


async def leave_pending(story: Story, walk: "asyncio.Task[OpenStream]") -> None:
    """The caller left before the stream was begun, or just when it was."""
    await call_off(walk)
    settlement.end_with(story, asyncio.CancelledError())


async def leave(story: Story, opened: OpenStream) -> None:
    """The caller left before anything was passed on."""
    opened.left()
    settlement.end_with(story, asyncio.CancelledError())


def _pass_on(opened: OpenStream, out: Outlet, block: bytes) -> bool:
    """Hand on what may be of a block; False when the stream has said that it is over."""
    if block is SILENCE:
        out.write(KEEP_ALIVE)
        return True
    out.write(opened.relay.feed(block))
    if out.is_full:
        _hold(opened, out)
    return not opened.relay.is_done


async def call_off(walk: "asyncio.Task[OpenStream]") -> None:
    """End the walk; a stream that it had just opened is closed and booked."""
    walk.cancel()
    await asyncio.wait({walk})
    if not walk.cancelled() and walk.exception() is None:
        walk.result().left()


def _error_event(story: Story, error: GatewayError) -> bytes:
    call_id = f"call_{story.books.opened.call}"
    return dialects.write_error_event(story.chat.dialect, error, call_id=call_id)


def _hold(opened: OpenStream, out: Outlet) -> None:
    """The caller cannot keep up: read no more from the provider until it can."""
    opened.connection.pause()

    async def go_on() -> None:
        await out.drained()
        if opened.ended is None:  # else the connection may be busy with another call
            opened.connection.resume()

    task = asyncio.ensure_future(go_on())
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
