"""One pair: the other arm answers the same request, and a judge reads both, in both orders.

Every call goes through the gateway like a user's, on the books as `shadow` or `judge`, on the
tenant's own keys. What it may cost is set aside before it is made.
"""

import secrets
import time
from collections.abc import Awaitable, Callable
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
from routing.samples import Content, Example
from routing.wire.anthropic import request as anthropic
from routing.wire.openai import request as openai
from routing.wire.responses import request as openai_responses

REASONING_TOKENS = 2000  # that a judge who thinks may take besides its answer
READERS = {"openai": openai.read, "anthropic": anthropic.read, "responses": openai_responses.read}
ENDPOINTS = {"openai": "chat", "anthropic": "messages", "responses": "responses"}
# Nobody's answer is worse for these: the call could not be made now, and may be made later.
NOT_NOW = frozenset({402, 403, 429, 503, 504})

Reserve = Callable[[Decimal], Awaitable[None]]


class NotNow(Exception):
    """A call could not be made; later it may."""


class NoAnswer(Exception):
    """The arm that was asked has no answer."""


@dataclass(frozen=True)
class Terms:
    """What an experiment says about its judge."""

    running: Running
    judge_model: str
    criteria: str


@dataclass
class Compared:
    """What came of a sample. `half_points` are the challenger's."""

    kind: str  # of routing.models.Judgement
    challenger: str
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
    right: int | None = None  # canaries seen through

    async def compare(self, content: Content, arm: str, *, call: str, shows: bool) -> Compared:
        """Raises NotNow, JudgingEnds, ClaimLost. `shows`: the judge shows first what it can."""
        answered, other, challenger = self._sides(arm, call)
        try:
            chat = _reread(content)
            request = transcript.of_request(transcript.converse(chat))
            mine = transcript.of_answer(content.dialect, content.answer, stream=content.stream)
        except (CannotRead, InvalidRequest):
            return Compared("skipped", challenger)
        if not mine:
            return Compared("skipped", challenger)
        try:
            theirs = await self._shadow(chat, other)
        except NoAnswer:
            return Compared("failed", challenger, failed=other.name)
        if not theirs:
            return Compared("skipped", challenger)
        if shows:
            await self._show(request, mine)
        texts = {answered.name: mine, other.name: theirs}
        control = self.terms.running.arms[0].name
        return await self._judged(request, texts, control, challenger)

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

    async def _shadow(self, chat: ChatRequest, arm: RunningArm) -> str:
        """The other arm's answer. Raises NoAnswer, NotNow, JudgingEnds."""
        assigned = Assigned(self.terms.running, arm)
        errand = Errand(purpose="shadow", label=assigned.label, assigned=assigned)
        try:
            return transcript.of_answer(chat.dialect, await self._call(chat, errand), stream=False)
        except CannotRead:
            raise NoAnswer(arm.name) from None

    async def _show(self, request: str, answer: str) -> None:
        """The judge reads five pairs whose better answer is known."""
        self.right = 0
        for canary in canaries.of(request, answer):
            try:
                said = await self._ask(canary.pair)
            except NoVerdict:
                continue
            self.right += said.choice == canary.right
        if self.right < canaries.LEAST_RIGHT:
            raise JudgingEnds(
                f"the judge saw through {self.right} of 5 pairs whose better answer is known"
            )

    async def _ask(self, pair: Pair) -> Said:
        """The judge's verdict, with one more try. Raises NoVerdict, NotNow, JudgingEnds."""
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
            return transcript.of_answer("openai", answer, stream=False)
        except NoAnswer:
            raise NotNow("the judge does not answer") from None
        except CannotRead:
            return ""

    async def _call(self, chat: ChatRequest, errand: Errand) -> bytes:
        """The body of an answer. Raises NoAnswer, NotNow, JudgingEnds."""
        await self.reserve(await self._at_most(chat, errand))
        call = ids.encode(ids.fresh())
        asked = Asked(
            call=call,
            body_id=dialects.CALLERS[chat.dialect].body_prefix + call,
            caller=self.caller,
            endpoint=ENDPOINTS[chat.dialect],
            headers=(),
            chat=chat,
            began=time.monotonic(),
            errand=errand,
        )
        answer = await gateway.chat(asked)
        settled = answer.told.settled
        if settled and settled.cost:
            self.cost += settled.cost
        if isinstance(answer, WholeAnswer):
            return answer.body
        assert not isinstance(answer, gateway.StreamedAnswer)  # noqa: S101  none is asked for
        if answer.error.http_status in NOT_NOW:
            raise NotNow(answer.error.error_code)
        raise NoAnswer(answer.error.error_code)

    async def _at_most(self, chat: ChatRequest, errand: Errand) -> Decimal:
        """What a call may cost, in USD. Raises NoAnswer, NotNow, JudgingEnds."""
        wishes = options.read((), chat.body)
        try:
            _, plan = await opening.planned(self.caller, chat, wishes, errand=errand)
        except GatewayError as problem:
            raise NoAnswer(problem.error_code) from None
        if plan.refusal:
            if errand.purpose == "judge":
                raise JudgingEnds(f"the judge cannot be asked: {plan.refusal}")
            raise NoAnswer(plan.refusal.error_code)
        first = plan.candidates[0]
        if first.price is None:
            raise JudgingEnds(f"{first.target} has no known price")
        return money.from_pico(worst_case.cost(first.price, chat, first.offer))


def _reread(content: Content) -> ChatRequest:
    """The request, as one whose answer is not streamed. Raises InvalidRequest."""
    body = {k: v for k, v in content.body.items() if k not in {"stream", "stream_options"}}
    return READERS[content.dialect](msgspec.json.encode(body), content.headers)
