"""One pair: the other arm answers the same request, and a judge reads both, in both orders.

Every call goes through the gateway like a user's, on the books as `shadow` or `judge`, on the
tenant's own keys. What it may cost is set aside before it is made.
"""

import secrets
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from accounts import ids
from accounts.callers import Caller
from accounts.errors import GatewayError, InvalidRequest
from billing import money
from billing.money import ZERO
from routing import dialects, gateway, opening, options
from routing.chat import ChatRequest
from routing.experiments import Assigned, Errand, Running, RunningArm, chance
from routing.gateway import WholeAnswer
from routing.judging import canaries, prompts, style, transcript, verdict_format
from routing.judging.prompts import Messages, Pair
from routing.judging.transcript import CannotRead
from routing.judging.verdict_format import NoVerdict, Said
from routing.judging.waiting import JudgingEnds
from routing.opening import Asked
from routing.plan import worst_case
from routing.plan.candidates import Candidate
from routing.samples import Content, Example
from routing.scoring import priors, trust
from routing.scoring.scorer import Scorer
from routing.wire.anthropic import request as anthropic
from routing.wire.openai import request as openai
from routing.wire.responses import request as openai_responses

REASONING_TOKENS = 2000  # that a judge who thinks may take besides its answer
READERS = {"openai": openai.read, "anthropic": anthropic.read, "responses": openai_responses.read}
ENDPOINTS = {"openai": "chat", "anthropic": "messages", "responses": "responses"}
# Nobody's answer is worse for these: the call could not be made now, and may be made later.
NOT_NOW = frozenset({402, 403, 429, 503, 504})
SERVER_FAILED = 500  # and above: another time the judge may answer

Reserve = Callable[[Decimal], Awaitable[None]]


class NotNow(Exception):
    """A call could not be made; later it may."""


class NoAnswer(Exception):
    """Who was asked has no answer; `status` says why, as HTTP does."""

    def __init__(self, code: str, status: int = 502) -> None:
        super().__init__(code)
        self.status = status


class Refused(Exception):
    """The judge will not read this pair, however often it is asked: too long, filtered."""


@dataclass(frozen=True)
class Terms:
    """What an experiment says about its judge."""

    running: Running
    judge_model: str
    criteria: str


@dataclass
class Compared:
    """What came of a sample. `half_points` are the challenger's, and `model` is."""

    kind: str  # of routing.models.Judgement
    challenger: str
    task: str = ""
    model: str = ""  # as priors name it; empty if it is not known
    rival: str = ""
    half_points: int | None = None
    is_consistent: bool | None = None
    style: tuple[float, ...] | None = None
    failed: str = ""
    example: Example | None = None


@dataclass
class Bench:
    """Where one sample is judged: who pays, who says what may be spent, what was spent."""

    terms: Terms
    caller: Caller
    reserve: Reserve
    cost: Decimal = ZERO
    right: int | None = None  # canaries seen through, once all were shown
    challenger: str = ""

    async def compare(self, content: Content, arm: str, *, call: str, shows: bool) -> Compared:
        """Raises NotNow, JudgingEnds, ClaimLost. `shows`: the judge shows first what it can."""
        answered, other, challenger = self._sides(arm, call)
        self.challenger = challenger
        try:
            chat = _reread(content)
            request = transcript.of_request(transcript.converse(chat))
            mine = transcript.of_answer(content.dialect, content.answer, stream=content.stream)
        except (CannotRead, InvalidRequest):
            return Compared("skipped", challenger)
        if not mine:
            return Compared("skipped", challenger)
        try:
            theirs, at = await self._shadow(chat, other)
        except NoAnswer:
            return Compared("failed", challenger, failed=other.name)
        if not theirs:
            return Compared("skipped", challenger)
        texts = {answered.name: mine, other.name: theirs}
        control = self.terms.running.arms[0].name
        try:
            if shows:
                await self._show(request, mine)
            compared = await self._judged(request, texts, control, challenger)
        except Refused:
            return Compared("dropped", challenger)
        compared.task = Scorer().task(chat)
        models = {answered.name: (content.provider, content.model), other.name: at}
        compared.model = await self._named(*models[challenger])
        compared.rival = await self._named(*models[control])
        return compared

    async def _named(self, provider: str, model: str) -> str:
        """A model as priors and labels name it."""
        offer = (await opening.catalog_of(self.caller)).find(provider, model)
        return priors.name_of(offer) if offer else priors.folded(model)

    async def _judged(
        self, request: str, texts: dict[str, str], control: str, challenger: str
    ) -> Compared:
        """The verdicts of both orders; the control comes first in the pair."""
        pair = Pair(request, texts[control], texts[challenger])
        try:
            forward = await self._ask(pair)
            backward = await self._ask(pair.swapped)
        except NoVerdict:
            return Compared("dropped", challenger)
        points = round(2 * verdict_format.score(forward.choice, backward.choice))
        winner = {0: control, 1: "tie", 2: challenger}[points]
        return Compared(
            "pair",
            challenger,
            half_points=points,
            is_consistent=verdict_format.is_consistent(forward.choice, backward.choice),
            style=style.difference(style.of_text(pair.first), style.of_text(pair.second)),
            example=Example(request=request, answers=texts, reason=forward.reason, outcome=winner),
        )

    def _sides(self, arm: str, call: str) -> tuple[RunningArm, RunningArm, str]:
        """The arm that answered, the one to ask, and which of the two is the challenger."""
        running = self.terms.running
        control, *challengers = running.arms
        answered = running.arm(arm)
        if answered is None:
            raise JudgingEnds("the arm is gone")
        if answered is not control:
            return answered, control, answered.name
        open_ones = [one for one in challengers if one.weight] or challengers
        other = open_ones[int(chance(running.key, f"challenger:{call}") * len(open_ones))]
        return control, other, other.name

    async def _shadow(self, chat: ChatRequest, arm: RunningArm) -> tuple[str, tuple[str, str]]:
        """The other arm's answer, and the provider and model that gave it.

        Raises NoAnswer, NotNow, JudgingEnds.
        """
        assigned = Assigned(self.terms.running, arm)
        errand = Errand(purpose="shadow", label=assigned.label, assigned=assigned)
        answer = await self._call(chat, errand)
        try:
            text = transcript.of_answer(chat.dialect, answer.body, stream=False)
        except CannotRead:
            raise NoAnswer(arm.name) from None
        return text, (answer.told.provider, answer.told.model)

    async def _show(self, request: str, answer: str) -> None:
        """The judge reads five pairs whose better answer is known; it counts once all are read."""
        right = 0
        for canary in canaries.of(request, answer):
            try:
                said = await self._ask(canary.pair)
            except NoVerdict:
                continue
            right += said.choice == canary.right
        self.right = right
        if trust.falls_for_canaries(right):
            raise JudgingEnds(
                f"the judge saw through {self.right} of 5 pairs whose better answer is known"
            )

    async def _ask(self, pair: Pair) -> Said:
        """The judge's verdict, with one more try.

        Raises NoVerdict, Refused, NotNow, JudgingEnds.
        """
        mark = secrets.token_hex(8)
        asked = prompts.messages(pair, criteria=self.terms.criteria, mark=mark)
        text = await self._judge(asked)
        try:
            return verdict_format.read(text)
        except NoVerdict:
            again = {"role": "user", "content": prompts.REPAIR}
            said = {"role": "assistant", "content": text or "…"}
            return verdict_format.read(await self._judge([*asked, said, again]))

    async def _judge(self, asked: Messages) -> str:
        running = self.terms.running
        body: dict[str, Any] = {
            "model": self.terms.judge_model,
            "messages": asked,
            "temperature": 0,
            "max_tokens": prompts.MAX_TOKENS + REASONING_TOKENS,
        }
        errand = Errand(purpose="judge", label=running.shown_id)
        try:
            answer = await self._call(openai.read(msgspec.json.encode(body)), errand)
            return transcript.of_answer("openai", answer.body, stream=False)
        except NoAnswer as problem:
            if problem.status >= SERVER_FAILED:
                raise NotNow("the judge does not answer") from None
            raise Refused(str(problem)) from None
        except CannotRead:
            return ""

    async def _call(self, chat: ChatRequest, errand: Errand) -> WholeAnswer:
        """Raises NoAnswer, NotNow, JudgingEnds."""
        at_most = await self._at_most(chat, errand)
        await self.reserve(at_most)
        made = ids.fresh()
        call = ids.encode(made)
        asked = Asked(
            call=call,
            body_id=dialects.CALLERS[chat.dialect].body_prefix + call,
            caller=self.caller,
            endpoint=ENDPOINTS[chat.dialect],
            headers=(),
            chat=chat,
            made_ms=ids.made_at(made),
            began=time.monotonic(),
            errand=errand,
        )
        answer = await gateway.chat(asked)
        settled = answer.told.settled
        if settled:
            # What nobody can price may have cost all that was set aside.
            self.cost += at_most if settled.cost is None else settled.cost
        if isinstance(answer, WholeAnswer):
            return answer
        assert not isinstance(answer, gateway.StreamedAnswer)  # noqa: S101  none is asked for
        raise _unanswered(answer.error)

    async def _at_most(self, chat: ChatRequest, errand: Errand) -> Decimal:
        """What a call may cost, in USD. Raises NoAnswer, NotNow, JudgingEnds."""
        wishes = options.read((), chat.body)
        try:
            _, plan = await opening.planned(self.caller, chat, wishes, errand=errand)
        except GatewayError as problem:
            raise _unanswered(problem) from None
        if plan.refusal:
            if errand.purpose == "judge":
                raise JudgingEnds(f"the judge cannot be asked: {plan.refusal}")
            raise NoAnswer(plan.refusal.error_code, plan.refusal.http_status)
        dearest = most_of(chat, plan.candidates)
        if dearest is None:
            raise JudgingEnds(f"{plan.candidates[0].target} has no known price")
        return dearest


def most_of(chat: ChatRequest, candidates: Iterable[Candidate]) -> Decimal | None:
    """What the dearest of them may cost at most, in USD; None where one has no known price."""
    costs = []
    for one in candidates:
        if one.price is None:
            return None
        costs.append(worst_case.cost(one.price, chat, one.offer))
    return money.from_pico(max(costs)) if costs else None


def _unanswered(error: GatewayError) -> NotNow | NoAnswer:
    if error.http_status in NOT_NOW:
        return NotNow(error.error_code)
    return NoAnswer(error.error_code, error.http_status)


def _reread(content: Content) -> ChatRequest:
    """The request, as one whose answer is not streamed. Raises InvalidRequest."""
    body = {k: v for k, v in content.body.items() if k not in {"stream", "stream_options"}}
    return READERS[content.dialect](msgspec.json.encode(body), content.headers)
