"""An attempt whose answer is streamed: it has begun when the first content has come."""

import time

import msgspec

from accounts.errors import GatewayError
from billing.facts import AttemptEnded, Role
from routing import dialects
from routing.cache import passing
from routing.execution import whole
from routing.execution.attempt import LOST, NOTHING, Attempt, CannotAsk, Consumed
from routing.execution.story import Story
from routing.plan.candidates import Candidate
from routing.upstream import failures, send
from routing.upstream.connection import SILENCE, Connection, Malformed, Trouble
from routing.upstream.failures import Failure, FailureKind
from routing.wire.failed import StreamCut, StreamFailed
from routing.wire.sides import Relay
from routing.wire.sse import EventTooLong

MOST_PREAMBLE_BYTES = 8 * 2**20  # before the first content


class OpenStream(msgspec.Struct, eq=False):
    """A stream whose first content is there, or which ended properly without any.

    Ends by `answered`, `cut`, `left` or `lost`, once.
    """

    attempt: Attempt
    connection: Connection
    relay: Relay
    first: bytes  # what may be passed on already
    is_over: bool = False  # that was all: nothing is left to be poured
    ended: AttemptEnded | None = None

    @property
    def is_empty(self) -> bool:
        return not self.relay.has_content

    @property
    def candidate(self) -> Candidate:
        return self.attempt.candidate

    def answered(self) -> AttemptEnded:
        """The provider ended the stream as it should; perhaps without a word."""
        if self.ended is None:
            self.connection.finish()
            self.ended = self.attempt.end("empty" if self.is_empty else "answered", self.consumed())
        return self.ended

    def cut(self, failure: Failure) -> AttemptEnded:
        """The provider broke the stream off."""
        return self._closed("cut", failure)

    def lost(self) -> AttemptEnded:
        """Another attempt had something to say before."""
        return self._closed("lost")

    def left(self) -> AttemptEnded:
        """The caller went away, or nobody takes it any more."""
        return self._closed("cancelled")

    def _closed(self, outcome: str, failure: Failure | None = None) -> AttemptEnded:
        if self.ended is None:  # else the connection may be busy with another call
            self.connection.close()
            self.ended = self.attempt.end(outcome, self.consumed(), failure)
        return self.ended

    def consumed(self) -> Consumed:
        relay = self.relay
        return _counted(relay) or whole.estimated(self.attempt.story, relay.output_bytes)


def _counted(relay: Relay) -> Consumed | None:
    """What the provider says it used, if it has said so."""
    if relay.usage is None:
        return None
    return Consumed(relay.usage, "reported", relay.reported_cost, relay.model, relay.output_bytes)


async def run(story: Story, candidate: Candidate, number: int, role: Role) -> OpenStream | Failure:
    """Ask a candidate and wait for its first content; a failure is booked here."""
    attempt = Attempt.start(story, candidate, number, role)
    connection: Connection | None = None
    try:
        request = attempt.request()
        connection = await send.begin(story.pool, story.books, request, attempt.sent)
        attempt.heard(connection.headers)
        if not 200 <= connection.status < 300:
            return await _refused(attempt, connection)
        return await _until_content(attempt, connection)
    except CannotAsk as reason:
        return attempt.fail(reason.failure)
    except Trouble as trouble:
        _close(connection)
        return attempt.fail(whole.of_trouble(trouble))
    except GatewayError:
        _close(connection)
        attempt.give_up()
        raise
    except Exception as problem:  # noqa: BLE001  one candidate's edge: there may be others
        _close(connection)
        return attempt.broke(problem)
    except BaseException:
        _close(connection)
        attempt.give_up()
        raise


async def _refused(attempt: Attempt, connection: Connection) -> Failure:
    body, status, headers = b"", connection.status, connection.headers
    try:
        await connection.completed()
        body = connection.body()
        connection.finish()
    except Trouble:  # it has refused, whatever it had to say about it
        connection.close()
    return attempt.fail(failures.classify(status, headers, body))


async def _until_content(attempt: Attempt, connection: Connection) -> OpenStream | Failure:
    if b"json" in connection.header(b"content-type"):
        return await _not_a_stream(attempt, connection)
    candidate, story = attempt.candidate, attempt.story
    signer = candidate.offer.provider.wire
    collector = story.thoughts.collector(story.caller.tenant_id, signer)
    relay = dialects.relay(story.chat, candidate.offer, story.body_id, collector.see)
    relay = passing.recorded(story.keep, relay, candidate.offer)
    passed, is_over, left = [], False, MOST_PREAMBLE_BYTES
    try:
        while not (relay.has_content or relay.is_done or is_over):
            _check_preamble(left)
            block = await connection.more()
            is_over = not block
            if block and block is not SILENCE:
                passed.append(relay.feed(block))
                left -= len(block)
        if is_over or not relay.has_content:
            is_over = True
            passed.append(relay.end())
    except (StreamFailed, EventTooLong, Trouble) as problem:
        connection.close()
        return attempt.fail(of_problem(problem), _counted(relay) or NOTHING)
    attempt.first_token = time.monotonic()
    opened = OpenStream(attempt, connection, relay, b"".join(passed), is_over)
    if opened.is_empty:
        connection.begin()
        opened.answered()
    elif not story.claim():
        opened.lost()
        return LOST
    else:
        connection.begin()
        story.adapted = attempt.adapted
    return opened


def _check_preamble(left: int) -> None:
    """What comes before the content is kept until it comes: not without end."""
    if left < 0:
        raise StreamFailed("the stream holds megabytes and no content")


async def _not_a_stream(attempt: Attempt, connection: Connection) -> Failure:
    """JSON where a stream was asked for: an error, or an answer that ignored the wish."""
    await connection.completed()
    body = connection.body()
    connection.finish()
    return attempt.fail(whole.of_odd_success(body))


def of_problem(problem: Exception) -> Failure:
    """What a broken stream means."""
    if isinstance(problem, StreamFailed) and problem.data:
        return whole.of_odd_success(problem.data)
    if isinstance(problem, StreamCut):
        return Failure(FailureKind.NETWORK, message=str(problem))
    if isinstance(problem, Trouble) and not isinstance(problem, Malformed):
        return whole.of_trouble(problem)
    return Failure(FailureKind.SERVER, message=str(problem) or type(problem).__name__)


def _close(connection: Connection | None) -> None:
    if connection:
        connection.close()
