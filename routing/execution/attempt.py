"""One attempt: a candidate is asked, timed and booked."""

import logging
import time
import traceback
from collections.abc import Sequence
from decimal import Decimal

import msgspec

from accounts.errors import InvalidRequest
from accounts.secret import Secret
from accounts.vault import MasterKeyProblem, SealBroken
from billing import money, pricing
from billing.facts import AttemptEnded, CostStatus, Role, UsageSource
from billing.money import ZERO, InexactMoney
from billing.pricing import SERVICE_FIELDS, Price
from billing.usage import Usage
from routing import dialects, tokens
from routing.conversation import Conversation
from routing.execution.story import Story
from routing.health import headroom
from routing.health.known import Seen
from routing.plan.candidates import Candidate
from routing.plan.plan import MOST_ATTEMPTS
from routing.providers import prices
from routing.upstream import endpoints, refused, send
from routing.upstream.connection import Limits
from routing.upstream.failures import Failure, FailureKind

log = logging.getLogger(__name__)


class CannotAsk(Exception):
    """The candidate cannot even be asked, and why."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure


NOTICED_SECONDS = 0.5  # until a provider notices that nobody reads any more
USUAL_FIRST_S = 0.6  # to the first token, where the catalogue has no figure
MOST_TOKENS = 10**9  # of one attempt; a provider that reports more is mistaken
MOST_COST = money.LARGEST / MOST_ATTEMPTS  # so that the sum can be booked, too
NO_USAGE = Usage()


class Consumed(msgspec.Struct, frozen=True, gc=False):
    """What an attempt used, and how we know. `model` is the provider's own word for it.

    `output_bytes` is about what the model wrote, should the figures be none that can be believed.
    """

    usage: Usage = NO_USAGE
    source: UsageSource = "none"
    reported_cost: Decimal | None = None
    model: str = ""
    output_bytes: int = 0


Charge = tuple[Decimal | None, CostStatus, Price | None]

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
    is_booked: bool = False
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
        except InvalidRequest as problem:
            raise CannotAsk(_untranslatable(problem)) from None
        body, self.adapted = written.body, written.adapted
        names = refused.memory.of(story.caller, offer.target)
        if names and not story.options.require_parameters:
            body, left_out = refused.without(body, names)
            self.adapted += left_out
        return send.Request(
            provider=provider,
            endpoint=endpoint,
            path=written.path,
            body=body,
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
        self,
        outcome: str,
        consumed: Consumed = NOTHING,
        failure: Failure | None = None,
        *,
        is_ours: bool = False,
    ) -> AttemptEnded:
        """Book the attempt. Where the fault `is_ours`, it says nothing of the provider."""
        story, candidate, now = self.story, self.candidate, time.monotonic()
        story.upstream_s += now - self.started
        consumed, (cost, status, price) = self._believed(consumed)
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
        self.is_booked = True
        if is_ours:
            story.health.release(candidate)
        elif is_telling(story, candidate):
            story.health.observe(self._seen(outcome, consumed, failure, now))
        return fact

    def sent(self) -> None:
        """The request has gone out: from here on the provider may bill it."""
        self.is_sent = True

    def give_up(self) -> AttemptEnded:
        """Book an attempt that is called off: another one has won, or the caller has left."""
        outcome = "lost" if self.story.is_decided else "cancelled"
        return self.end(outcome, self._unheard())

    def _unheard(self) -> Consumed:
        """What a provider may bill for a request that it was sent and whose answer never came."""
        if not self.is_sent:
            return NOTHING
        prompt = self.story.chat.input_tokens
        usage = Usage(input_uncached=prompt, output_visible=self._unseen_output())
        return Consumed(usage, "estimated")

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

    def fail(self, failure: Failure, consumed: Consumed = NOTHING) -> Failure:
        """Book an attempt that did not answer.

        A provider that refuses bills nothing; one that went silent or away may have worked.
        """
        if consumed is NOTHING and failure.kind in _UNHEARD and failure.status is None:
            consumed = self._unheard()
        self.end(failure.kind, consumed, failure)
        return failure

    def broke(self, problem: Exception) -> Failure:
        """Book an attempt that we could not write or read: others may be luckier.

        What broke is logged by its class and place, for its words may be somebody's content.
        Raises it again if the attempt was booked before.
        """
        if self.is_booked:
            raise problem
        place = traceback.extract_tb(problem.__traceback__)[-1]
        log.error(
            "an attempt broke",
            extra={
                "call": self.story.books.opened.call,
                "target": self.candidate.target,
                "problem": type(problem).__name__,
                "at": f"{place.filename}:{place.lineno}",
            },
        )
        self.end(BROKEN.kind, self._unheard(), BROKEN, is_ours=not self.is_sent)
        return BROKEN

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

    def _believed(self, consumed: Consumed) -> tuple[Consumed, Charge]:
        """What is booked as used, and what it costs: an estimate for figures beyond belief."""
        if not _is_bookable(consumed.reported_cost):
            consumed = msgspec.structs.replace(consumed, reported_cost=None)
        charge = self._charge(consumed)
        if charge is not None:
            return consumed, charge
        log.warning("usage beyond belief", extra={"target": self.candidate.target})
        usage = Usage(
            input_uncached=self.story.chat.input_tokens,
            output_visible=tokens.of_output(consumed.output_bytes),
        )
        consumed = Consumed(usage, "estimated", None, consumed.model)
        return consumed, self._charge(consumed) or (None, "unpriced", None)

    def _charge(self, consumed: Consumed) -> Charge | None:
        """Cost, how sure it is, and the price that applied; None if that cannot be booked.

        A known price wins.
        """
        if consumed.source == "none":
            return ZERO, "priced", None
        if consumed.usage.total_tokens > MOST_TOKENS:
            return None
        price, reported = self._price(consumed.model), consumed.reported_cost
        if price is None or (price.is_guess and reported is not None):
            return (None, "unpriced", None) if reported is None else (reported, "reported", None)
        try:
            cost = pricing.cost_of(consumed.usage, price)
        except ArithmeticError:
            return None
        if cost > MOST_COST:
            return None
        is_exact = consumed.source != "estimated" and not price.is_guess
        status: CostStatus = "priced" if is_exact else "estimated"
        return cost, status, pricing.applied(price, consumed.usage)

    def _service(self) -> str:
        """The tier of service that the provider was asked for: a translated request has none."""
        chat, wire = self.story.chat, self.candidate.offer.provider.wire
        if wire == "gemini" or (wire == "anthropic") != (chat.dialect == "anthropic"):
            return ""
        return "" if any(name in self.adapted for name in SERVICE_FIELDS) else chat.service

    def _price(self, answered_model: str) -> Price | None:
        """The price of what was asked for; for a name that no catalogue has, of what answered."""
        story, candidate = self.story, self.candidate
        price = candidate.price
        if price is None and candidate.offer.model is None and answered_model:
            price = prices.in_force(
                story.caller.tenant_id, candidate.provider, answered_model, today=story.today
            )
        return price and pricing.of_service(price, self._service())

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


def _is_bookable(cost: Decimal | None) -> bool:
    if cost is None:
        return True
    try:
        money.to_pico(cost)
    except InexactMoney:
        return False
    return cost <= MOST_COST


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
BROKEN = Failure(
    FailureKind.SERVER,
    code="internal_error",
    message="the gateway could not translate between the caller and this provider",
)
_UNHEARD = frozenset({FailureKind.TIMEOUT, FailureKind.NETWORK})
