"""An attempt whose answer is not streamed."""

import msgspec

from accounts.errors import GatewayError
from billing.facts import AttemptEnded, Role
from billing.usage import Usage
from routing import dialects, tokens
from routing.chat import ChatReply
from routing.execution.attempt import LOST, Attempt, CannotAsk, Consumed
from routing.execution.story import Story
from routing.plan.candidates import Candidate
from routing.upstream import failures, send
from routing.upstream.connection import Connection, Malformed, TimedOut, Trouble
from routing.upstream.failures import Failure, FailureKind
from routing.wire.failed import NotAnAnswer


class WholeReply(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A provider's answer, read and booked."""

    candidate: Candidate
    reply: ChatReply
    consumed: Consumed
    ended: AttemptEnded

    @property
    def is_empty(self) -> bool:
        return self.reply.is_empty

    def left(self) -> AttemptEnded:
        """Nobody takes it any more; it is booked already."""
        return self.ended


async def run(story: Story, candidate: Candidate, number: int, role: Role) -> WholeReply | Failure:
    """Ask a candidate and book the attempt, whatever comes."""
    attempt = Attempt.start(story, candidate, number, role)
    try:
        request = attempt.request()
        connection = await send.begin(story.pool, story.books, request, attempt.sent)
        return _read(attempt, connection)
    except CannotAsk as reason:
        return attempt.fail(reason.failure)
    except Trouble as trouble:
        return attempt.fail(of_trouble(trouble))
    except GatewayError:
        attempt.give_up()
        raise
    except Exception as problem:  # noqa: BLE001  one candidate's edge: there may be others
        return attempt.broke(problem)
    except BaseException:  # called off: what the provider did by then may be billed
        attempt.give_up()
        raise


def _read(attempt: Attempt, connection: Connection) -> WholeReply | Failure:
    story, candidate = attempt.story, attempt.candidate
    body, status, headers = connection.body(), connection.status, connection.headers
    connection.finish()
    attempt.heard(headers)
    if not 200 <= status < 300:
        return attempt.fail(failures.classify(status, headers, body))
    try:
        answer = dialects.read_reply(story.chat, candidate.offer, body)
    except NotAnAnswer:
        return attempt.fail(of_odd_success(body))
    if answer.answer:
        signer = candidate.offer.provider.wire
        story.thoughts.remember(story.caller.tenant_id, answer.answer.blocks, signer=signer)
    consumed = of_reply(story, answer)
    if answer.is_empty:
        return WholeReply(candidate, answer, consumed, attempt.end("empty", consumed))
    if not story.claim():
        attempt.end("lost", consumed)
        return LOST
    story.adapted = attempt.adapted
    return WholeReply(candidate, answer, consumed, attempt.end("answered", consumed))


def of_reply(story: Story, answer: ChatReply) -> Consumed:
    """What the provider says it used; an estimate where it does not say."""
    if answer.usage is None:
        return estimated(story, answer.output_bytes)
    return Consumed(
        answer.usage, "reported", answer.reported_cost, answer.model, answer.output_bytes
    )


def estimated(story: Story, output_bytes: int) -> Consumed:
    usage = Usage(
        input_uncached=story.chat.input_tokens, output_visible=tokens.of_output(output_bytes)
    )
    return Consumed(usage, "estimated")


def of_trouble(trouble: Trouble) -> Failure:
    """A failure below HTTP."""
    if isinstance(trouble, TimedOut):
        return Failure(FailureKind.TIMEOUT, message=str(trouble))
    if isinstance(trouble, Malformed):
        return Failure(FailureKind.SERVER, message=str(trouble))
    return Failure(FailureKind.NETWORK, message=str(trouble))


def of_odd_success(body: bytes) -> Failure:
    """A 200 that is an error in disguise, or nothing that can be read."""
    error = failures.read_error(body)
    is_status = len(error.code) == 3 and error.code.isascii() and error.code.isdigit()
    status = int(error.code) if is_status else 502
    if not (error.code or error.type):
        return Failure(FailureKind.SERVER, status=200, message="the body is not an answer")
    return failures.classify(status if status >= 400 else 502, (), body)
