"""Where a call meets the cache on its way: its answer remembered, its work seen through."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar, cast

import msgspec

from billing.facts import CallSettled
from billing.usage import Usage
from routing import dialects
from routing.cache.keeping import Keep
from routing.cache.recording import Recorded
from routing.chat import ChatReply
from routing.conversation import Answer
from routing.providers.catalog_index import Offer
from routing.wire.failed import NotAnAnswer
from routing.wire.sides import Relay

T = TypeVar("T")
Out = TypeVar("Out")


def recorded(keep: Keep | None, relay: Relay, offer: Offer) -> Relay:
    """The same relay, remembered where its answer may be kept."""
    if keep is None:
        return relay
    provider = offer.provider
    reader = dialects.PROVIDERS[provider.wire].reader(provider.quirks_of(offer.model))
    return cast("Relay", Recorded(relay, reader))  # whose attributes are only read


def whole_answer(reply: ChatReply, offer: Offer) -> Answer | None:
    """A provider's whole answer in the neutral middle; None where it cannot be read that way."""
    if reply.answer is not None:
        return reply.answer
    provider = offer.provider
    try:
        read = dialects.PROVIDERS[provider.wire].read
        return read(msgspec.json.encode(reply.content), provider.quirks_of(offer.model))
    except (NotAnAnswer, KeyError):
        return None


def keep_whole(keep: Keep | None, reply: ChatReply, offer: Offer, settled: CallSettled) -> None:
    """Keep a whole answer, where that is wished."""
    if keep:
        by = (settled.provider, settled.model)
        answer = whole_answer(reply, offer)
        keep.answered(answer, _reported(settled), by=by, reason=settled.finish_reason)


def keep_stream(keep: Keep | None, relay: Relay, settled: CallSettled) -> None:
    """Keep a streamed answer, where that is wished."""
    if keep:
        by = (settled.provider, settled.model)
        answer = relay.answer() if isinstance(relay, Recorded) else None
        keep.answered(answer, _reported(settled), by=by, reason=settled.finish_reason)


def _reported(settled: CallSettled) -> Usage | None:
    """What the provider said it used, if that can be believed."""
    return settled.usage if settled.usage_source == "reported" else None


def seen_through(
    keep: Keep | None, pour: Callable[[Out], Awaitable[None]]
) -> Callable[[Out], Awaitable[None]]:
    """The same stream, to its end if somebody waits for its answer."""
    if keep is None:
        return pour
    return lambda out: see_through(keep, pour(out))


async def see_through(
    keep: Keep,
    work: Awaitable[T],
    alone: Callable[[T], Coroutine[Any, Any, None]] | None = None,
    leave: Callable[[T], Coroutine[Any, Any, None]] | None = None,
) -> T:
    """Do the work of a call; a caller who leaves ends it only if nobody else waits for it.

    `alone` goes on with what the work has brought, for those who wait; `leave` ends what it had
    brought by then and nobody takes.
    """
    task = asyncio.ensure_future(work)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if not keep.has_followers:
            task.cancel()
            await asyncio.wait({task})
            if leave and not task.cancelled() and task.exception() is None:
                await leave(task.result())
        elif alone:
            keep.go_on(task, alone)
        raise
