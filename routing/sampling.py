"""Which calls of an experiment are kept for the judge; and the way of them to the database.

Nothing is kept of any other call. The loop only puts a sample on a short list; a thread of its own
seals and writes it. What does not fit on the list is not sampled.
"""

import logging
import queue
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial

from django.db import close_old_connections, connection

from accounts import ids
from routing import experiments, samples
from routing.execution.story import Story
from routing.experiments import Assigned
from routing.relaying import Outlet
from routing.samples import Content, Taken

log = logging.getLogger(__name__)

MOST_TOKENS = 32_000  # of the request
MOST_ON_THE_WAY = 100
GATEWAY_FIELDS = ("models", "session_id", "fallbacks", "preset")  # options that the arm decides
IDLE_SECONDS = 5.0

Pour = Callable[[Outlet], Awaitable[None]]


class Heard:
    """An outlet that remembers what it was given, as far as a sample may be long."""

    def __init__(self, out: Outlet) -> None:
        self._out = out
        self._heard: list[bytes] = []
        self._size = 0

    @property
    def is_full(self) -> bool:
        return self._out.is_full

    @property
    def answer(self) -> bytes:
        """All of it; empty if it was too long."""
        return b"".join(self._heard) if self._size <= samples.LARGEST else b""

    def write(self, piece: bytes) -> None:
        self._out.write(piece)
        self._size += len(piece)
        if self._size <= samples.LARGEST:
            self._heard.append(piece)

    async def drained(self) -> None:
        await self._out.drained()


def wanted(story: Story) -> Assigned | None:
    """The experiment that samples this call, if one does."""
    opened = story.books.opened
    if not opened.experiment or opened.purpose != "user" or story.chat.kind != "chat":
        return None
    if story.chat.input_tokens > MOST_TOKENS or story.options.simulation:
        return None
    assigned = experiments.of_label(opened.tenant, opened.experiment)
    if assigned is None:
        return None
    experiment = assigned.experiment
    drawn = experiments.chance(experiment.key, f"sample:{opened.call}")
    return assigned if drawn < experiment.shadow_rate else None


def listening(story: Story, pour: Pour) -> Pour:
    """What writes a stream; one that remembers what was written, if the call is sampled."""
    assigned = wanted(story)
    return partial(_pour_and_keep, story, assigned, pour) if assigned else pour


async def _pour_and_keep(story: Story, assigned: Assigned, pour: Pour, out: Outlet) -> None:
    heard = Heard(out)
    await pour(heard)
    has_answer = any(attempt.outcome == "answered" for attempt in story.books.attempts)
    if has_answer and (answer := heard.answer):
        _keep(story, assigned, answer)


def keep_whole(story: Story, answer: bytes) -> None:
    """A call was answered in one piece."""
    if assigned := wanted(story):
        _keep(story, assigned, answer)


def _keep(story: Story, assigned: Assigned, answer: bytes) -> None:
    opened, chat = story.books.opened, story.chat
    answered = next(one for one in story.books.attempts if one.outcome == "answered")
    body = {name: value for name, value in chat.body.items() if name not in GATEWAY_FIELDS}
    writer.put(
        Taken(
            call=ids.decode(opened.call),
            experiment=assigned.experiment,
            arm=assigned.arm.name,
            project=opened.project,
            session=opened.session,
            content=Content(
                dialect=chat.dialect,
                body=body,
                headers=chat.headers,
                answer=answer,
                stream=chat.stream,
                provider=answered.provider,
                model=answered.model,
            ),
        )
    )


class Writer:
    """Takes samples to the database in a thread that lives while there are any."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[Taken] = queue.Queue(MOST_ON_THE_WAY)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def put(self, taken: Taken) -> None:
        try:
            self._waiting.put_nowait(taken)
        except queue.Full:
            return
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="samples", daemon=True)
                self._thread.start()

    def flush(self) -> None:
        """Wait until everything is written."""
        self._waiting.join()

    def _run(self) -> None:
        while True:
            try:
                taken = self._waiting.get(timeout=IDLE_SECONDS)
            except queue.Empty:
                with self._lock:
                    if self._waiting.empty():
                        self._thread = None
                        break
                continue
            try:
                samples.save(taken, now=datetime.now(UTC))
            except Exception:  # the thread's edge: a sample is lost, no call
                log.exception("a sample could not be written", extra={"call": str(taken.call)})
            finally:
                close_old_connections()
                self._waiting.task_done()
        connection.close()


writer = Writer()
