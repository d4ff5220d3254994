"""Tells open pages which calls have just been booked: ids only, in batches, beside the books.

The shipper's thread announces; messages leave on the loop of this process. Who receives one reads
the rows as its tenant, so that nothing of a call travels here.
"""

import asyncio
import logging
from collections import defaultdict
from concurrent.futures import Future
from typing import TypedDict
from uuid import UUID

from channels.layers import get_channel_layer

from accounts import ids
from billing.deltas import Booked

log = logging.getLogger(__name__)

KIND = "calls.booked"  # consumers receive it as calls_booked
MOST_IDS = 500  # of a batch and a tenant: a page looks among them for those that fit its filters


class CallsBooked(TypedDict):
    """A message: ids of the newest calls of a batch, oldest first, and how many there were."""

    type: str
    calls: list[str]
    count: int


class _State:
    loop: asyncio.AbstractEventLoop | None = None
    failing = False


def start(loop: asyncio.AbstractEventLoop) -> None:
    """From now on announcements leave on this loop."""
    _State.loop = loop


def stop() -> None:
    _State.loop = None


def group(tenant: UUID) -> str:
    """The channel group of a tenant's open pages."""
    return f"calls.{tenant.hex}"


def announce(booked: list[Booked]) -> None:
    """A listener of the shipper: pages of each tenant learn of its settled calls."""
    loop = _State.loop
    if loop is None or loop.is_closed():
        return
    for tenant, message in messages(booked).items():
        sending = get_channel_layer().group_send(group(tenant), message)
        asyncio.run_coroutine_threadsafe(sending, loop).add_done_callback(_note)


def messages(booked: list[Booked]) -> dict[UUID, CallsBooked]:
    """What each tenant's pages are told of a batch. Corrections (sign -1) are no news."""
    settled: defaultdict[UUID, list[str]] = defaultdict(list)
    for one in booked:
        if one.settled and one.sign > 0:
            settled[one.opened.tenant].append(one.opened.call)
    return {
        tenant: CallsBooked(type=KIND, calls=sorted(calls)[-MOST_IDS:], count=len(calls))
        for tenant, calls in settled.items()
    }


def call_ids(message: CallsBooked) -> list[UUID]:
    return [ids.decode(call) for call in message["calls"]]


def _note(sent: "Future[None]") -> None:
    """Redis may be away: pages then show new calls when they are loaded again."""
    problem = None if sent.cancelled() else sent.exception()
    if problem and not _State.failing:
        log.warning("open pages cannot be told of new calls", exc_info=problem)
    _State.failing = problem is not None
