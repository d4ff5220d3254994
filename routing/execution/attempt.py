"""One attempt: a candidate is asked, timed and booked."""

import time
from collections.abc import Sequence
from decimal import Decimal

import msgspec

from accounts.errors import InvalidRequest
from accounts.secret import Secret
from accounts.vault import MasterKeyProblem, SealBroken
from billing import pricing
from billing.facts import AttemptEnded, CostStatus, Role, UsageSource
from billing.money import ZERO
from billing.pricing import Price
from billing.usage import Usage
from routing import dialects
from routing.conversation import Conversation
from routing.execution.story import Story
from routing.health import headroom
from routing.health.known import Seen
from routing.plan.candidates import Candidate
from routing.providers import prices
from routing.upstream import endpoints, send
from routing.upstream.connection import Limits
from routing.upstream.failures import Failure, FailureKind


class CannotAsk(Exception):
    """The candidate cannot even be asked, and why."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure


NOTICED_SECONDS = 0.5  # until a provider notices that nobody reads any more
USUAL_FIRST_S = 0.6  # to the first token, where the catalogue has no figure
NO_USAGE = Usage()


class Consumed(msgspec.Struct, frozen=True, gc=False):
    """What an attempt used, and how we know. `model` is the provider's own word for it."""

    usage: Usage = NO_USAGE
    source: UsageSource = "none"
    reported_cost: Decimal | None = None
    model: str = ""


NOTHING = Consumed()


class Attempt(msgspec.Struct, eq=False, gc=False):
    """An attempt that runs: which candidate, in which place of the chain, since when."""

    story: Story
    candidate: Candidate
    number: int
    role: Role
    started: float
    first_token: float | None = None
    is_sent: bool = False
    adapted: tuple[str, ...] = ()

    @classmethod
    def start(cls, story: Story, candidate: Candidate, number: int, role: Role) -> "Attempt":
        return cls(story, candidate, number, role, time.monotonic())

    def request(self) -> send.Request:
        """What to send. Raises CannotAsk."""
        story, offer = self.story, self.candidate.offer
        provider, fault = offer.provider, ""
        if story.caller.is_test:
            endpoint, secret = endpoints.sandbox(provider), Secret(f"sandbox-{story.caller.tenant}")
            fault = story.options.simulation.of(provider.slug) if story.options.simulation else ""
        else:
            assert self.candidate.key is not None  # noqa: S101  live candidates have a key
            endpoint = endpoints.live(provider, self.candidate.key.base_url)
            try:
                secret = story.ring.secret(self.candidate.key)
            except (SealBroken, MasterKeyProblem):
                raise CannotAsk(UNOPENED) from None
        try:
            written = dialects.write_request(story.chat, offer, self._conversation)
        except InvalidRequest as refused:
            raise CannotAsk(_untranslatable(refused)) from None
        self.adapted = written.adapted
        return send.Request(
            provider=provider,
            endpoint=endpoint,
            path=written.path,
            body=written.body,
            headers=written.headers,
            secret=secret,
            stream=story.chat.stream,
            connect_s=min(story.timeouts.connect_s, max(0.1, story.seconds_left)),
            limits=self._limits(is_simulated=bool(fault)),
            fault=fault,
        )

    def _conversation(self) -> Conversation:
        """The request in the neutral middle, with what this provider signed before."""
        story, signer = self.story, self.candidate.offer.provider.wire
        tenant = story.caller.tenant_id
        return story.thoughts.restore(story.converse(), tenant=tenant, signer=signer)

    def end(
        self, outcome: str, consumed: Consumed = NOTHING, failure: Failure | None = None
    ) -> AttemptEnded:
        """Book the attempt."""
        story, candidate, now = self.story, self.candidate, time.monotonic()
        story.upstream_s += now - self.started
        cost, status, price = self._charge(consumed)
        fact = AttemptEnded(
            call=story.books.opened.call,
            number=self.number,
            provider=candidate.provider,
            model=candidate.model,
            outcome=outcome,
            role=self.role,
            provider_key=candidate.key.key_id if candidate.key else None,
            http_status=failure.status if failure else 200,
            error_code=failure.code if failure else "",
            message=failure.message if failure else "",
            started_ms=story.milliseconds(self.started),
            first_token_ms=(
                None if self.first_token is None else story.milliseconds(self.first_token)
            ),
            ended_ms=story.milliseconds(now),
            usage=consumed.usage,
            usage_source=consumed.source,
            cost=cost,
            cost_status=status,
            price=price,
            reported_cost=consumed.reported_cost,
        )
        story.books.attempt_ended(fact)
        if is_telling(self.story, self.candidate):
            story.health.observe(self._seen(outcome, consumed, failure, now))
        return fact

    def sent(self) -> None:
        """The request has gone out: from here on the provider may bill it."""
        self.is_sent = True

    def give_up(self) -> AttemptEnded:
        """Book an attempt that is called off: another one has won, or the caller has left."""
        if not self.is_sent:
            return self.end("lost" if self.story.is_decided else "cancelled")
        usage = Usage(
            input_uncached=self.story.chat.input_tokens, output_visible=self._unseen_output()
        )
        outcome = "lost" if self.story.is_decided else "cancelled"
        return self.end(outcome, Consumed(usage, "estimated"))

    def _unseen_output(self) -> int:
        """Output tokens that the provider may bill though nobody has read them.

        Where hanging up stops the meter, what is written until it notices; else a usual answer.
        """
        story, candidate = self.story, self.candidate
        expected = story.health.expected(candidate.offer, candidate.key, story.chat, "")
        if not candidate.offer.provider.abort_stops_billing:
            return round(expected.output)
        written_s = NOTICED_SECONDS
        if not story.chat.stream:
            model = candidate.offer.model
            silent_s = (model.seconds_to_first_token if model else None) or USUAL_FIRST_S
            written_s = max(0.0, time.monotonic() - self.started - silent_s)
        pace = story.health.tokens_per_second(candidate)
        return round(min(expected.output, pace * written_s))

    def fail(self, failure: Failure) -> Failure:
        """Book an attempt that used nothing."""
        self.end(failure.kind, NOTHING, failure)
        return failure

    def heard(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """Note what the head of an answer says of the key's rate limits."""
        if is_telling(self.story, self.candidate):
            self.story.health.told(self.candidate, headroom.read(headers))

    def _seen(self, outcome: str, consumed: Consumed, failure: Failure | None, now: float) -> Seen:
        return Seen(
            offer=self.candidate.offer,
            key=self.candidate.key,
            chat=self.story.chat,
            outcome=outcome,
            failure=failure,
            began=self.started,
            first_token=self.first_token,
            ended=now,
            usage=consumed.usage if consumed.source == "reported" else None,
            session=self.story.options.session,
        )

    def _charge(self, consumed: Consumed) -> tuple[Decimal | None, CostStatus, Price | None]:
        """Cost, how sure it is, and the price that applied. A known price wins."""
        if consumed.source == "none":
            return ZERO, "priced", None
        price = self._price(consumed.model)
        if price is not None:
            status: CostStatus = "estimated" if consumed.source == "estimated" else "priced"
            cost = pricing.cost_of(consumed.usage, price)
            return cost, status, pricing.applied(price, consumed.usage)
        if consumed.reported_cost is not None:
            return consumed.reported_cost, "reported", None
        return None, "unpriced", None

    def _price(self, answered_model: str) -> Price | None:
        """The price of what was asked for; for a name that no catalogue has, of what answered."""
        candidate = self.candidate
        if candidate.price is not None or candidate.offer.model is not None or not answered_model:
            return candidate.price
        story = self.story
        return prices.in_force(
            story.caller.tenant_id, candidate.provider, answered_model, today=story.today
        )

    def _limits(self, *, is_simulated: bool) -> Limits:
        story, timeouts, model = self.story, self.story.timeouts, self.candidate.offer.model
        is_long = not story.chat.stream or bool(model and model.reasons)
        first = timeouts.first_token_long_s if is_long else timeouts.first_token_s
        if story.options.first_token_s is not None:
            first = story.options.first_token_s
        if is_simulated:
            first = min(first, send.STALL_SECONDS)
        first = min(first, max(0.1, story.seconds_left - 1))
        return Limits(first_s=first, silence_s=timeouts.idle_s, ends_by=story.ends_by)


def is_telling(story: Story, candidate: Candidate) -> bool:
    """Whether anything can be learned: rehearsed faults and our own calls say nothing."""
    if story.books.opened.purpose != "user":
        return False
    simulation = story.options.simulation
    return not (simulation and simulation.of(candidate.provider))


def _untranslatable(refused: InvalidRequest) -> Failure:
    """The request has something that cannot be said in the provider's dialect."""
    return Failure(
        FailureKind.PARAM,
        status=refused.http_status,
        code=refused.error_code,
        message=str(refused),
        param=refused.details.get("param"),
    )


LOST = Failure(FailureKind.EMPTY, status=200, message="another attempt had answered before")
UNOPENED = Failure(FailureKind.AUTH, code="key_sealed", message="the stored key does not open")
