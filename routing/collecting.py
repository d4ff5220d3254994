"""Training data on its way from a call to the database, for tenants that collect it.

The loop only remembers what went over the caller's wire; a thread of its own reads, seals and
writes it. A call is never delayed and never fails for it: what does not fit is not collected.
"""

import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

import msgspec

from accounts import ids
from billing.facts import AttemptEnded
from routing.chat import ChatRequest
from routing.execution.story import Story
from routing.hearing import Heard, Room
from routing.relaying import Outlet
from routing.side_thread import SideThread
from routing.training_data import examples, rows
from routing.training_data.examples import NotAnExample
from routing.training_data.filters import Filter
from routing.training_data.rows import Fact

log = logging.getLogger(__name__)

LARGEST_REQUEST = 1024 * 1024  # bytes
LARGEST_ANSWER = 8 * 2**20  # bytes on the wire: a stream takes some 200 for a token
MOST_REMEMBERED = 64 * 2**20  # bytes of requests and answers, of all calls that are on the way
MOST_WAITING = 2000  # calls
AT_ONCE = 100

Pour = Callable[[Outlet], Awaitable[None]]


class Taken(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A call that was answered. `size` is what it takes of the room."""

    tenant: UUID
    fact: Fact
    chat: ChatRequest
    answer: bytes
    filter: Filter
    size: int


def listening(story: Story, pour: Pour) -> Pour:
    """What writes a stream; one that remembers what was written, if the call is collected."""
    return partial(_pour_and_keep, story, pour) if story.collects else pour


def keep_whole(story: Story, answer: bytes) -> None:
    """A call was answered in one piece."""
    if story.collects is None:
        return
    size = len(answer) + story.chat.size
    if size <= LARGEST_ANSWER and room.take(size):
        _put(story, answer, size)


async def _pour_and_keep(story: Story, pour: Pour, out: Outlet) -> None:
    heard = Heard(out, most=LARGEST_ANSWER, room=room)
    kept = False
    try:
        await pour(heard)
        if heard.answer and room.take(story.chat.size):
            kept = True
            _put(story, heard.answer, heard.size + story.chat.size)
    finally:
        if not kept:
            heard.forget()


def _put(story: Story, answer: bytes, size: int) -> None:
    """`size` bytes of the room go along with it."""
    answered = _answered(story)
    if answered is None or story.collects is None or not _fits(story, story.collects, answered):
        room.give_back(size)
        return
    taken = Taken(
        tenant=story.books.opened.tenant,
        fact=_fact(story, answered),
        chat=story.chat,
        answer=answer,
        filter=story.collects,
        size=size,
    )
    if not writer.put(taken):
        room.give_back(size)


def _fits(story: Story, wanted: Filter, answered: AttemptEnded) -> bool:
    names = (answered.model, f"{answered.provider}/{answered.model}", story.chat.model)
    return story.chat.size <= LARGEST_REQUEST and wanted.takes_model(*names)


def _answered(story: Story) -> AttemptEnded | None:
    """The attempt that answered; none where the stream broke off, or nothing was said."""
    found = (one for one in reversed(story.books.attempts) if one.outcome == "answered")
    return next(found, None)


def _fact(story: Story, answered: AttemptEnded) -> Fact:
    """What is known of the call. How it finished is read from the answer later."""
    opened, caller = story.books.opened, story.caller
    return Fact(
        call=ids.decode(opened.call),
        mode=opened.mode,
        began_at=datetime.fromtimestamp(opened.opened_at / 1000, UTC),
        endpoint=opened.endpoint,
        requested_model=story.chat.model,
        provider=answered.provider,
        model=answered.model,
        policy=opened.policy,
        project=opened.project,
        gateway_key=opened.key,
        lineage=caller.lineage if opened.key else None,
        finish_reason="",
        stream=story.chat.stream,
    )


def _write(works: list[Taken]) -> None:
    """One transaction for the calls of each tenant."""
    try:
        lines: dict[UUID, list[tuple[Fact, bytes]]] = defaultdict(list)
        for taken in works:
            if line := _line(taken):
                lines[taken.tenant].append(line)
        for tenant, some in lines.items():
            _save(tenant, some)
    finally:
        room.give_back(sum(taken.size for taken in works))


def _save(tenant: UUID, lines: list[tuple[Fact, bytes]]) -> None:
    try:
        rows.save(tenant, lines)
    except Exception:  # no other tenant's calls are lost with these
        log.exception("collected calls were not written", extra={"tenant": str(tenant)})


def _line(taken: Taken) -> tuple[Fact, bytes] | None:
    call = str(taken.fact.call)
    try:
        example = examples.of_call(taken.chat, taken.answer)
    except NotAnExample as reason:
        log.debug("a call is not collected", extra={"call": call, "why": str(reason)})
        return None
    except Exception as problem:  # noqa: BLE001  its message may hold what was said
        log.warning("a call cannot be read", extra={"call": call, "why": type(problem).__name__})
        return None
    if not taken.filter.takes_finish(example.finish):
        return None
    return msgspec.structs.replace(taken.fact, finish_reason=example.finish), example.line


room = Room(MOST_REMEMBERED)
writer: SideThread[Taken] = SideThread("collecting", _write, most=MOST_WAITING, at_once=AT_ONCE)
