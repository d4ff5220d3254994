"""Which calls of an experiment are kept for the judge; and the way of them to the database.

Nothing is kept of any other call. The loop only puts a sample on a short list; a thread of its own
seals and writes it. What does not fit on the list is not sampled.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial

from accounts import ids
from routing import experiments, samples
from routing.execution.story import Story
from routing.experiments import Assigned
from routing.hearing import Heard
from routing.relaying import Outlet
from routing.samples import Content, Taken
from routing.side_thread import SideThread

MOST_TOKENS = 32_000  # of the request
MOST_ON_THE_WAY = 100
GATEWAY_FIELDS = ("models", "session_id", "fallbacks", "preset")  # options that the arm decides

Pour = Callable[[Outlet], Awaitable[None]]


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
    heard = Heard(out, most=samples.LARGEST)
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
            began_at=datetime.fromtimestamp(opened.opened_at / 1000, UTC),
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


def _write(works: list[Taken]) -> None:
    for taken in works:
        samples.save(taken, now=datetime.now(UTC))


writer: SideThread[Taken] = SideThread("samples", _write, most=MOST_ON_THE_WAY)
