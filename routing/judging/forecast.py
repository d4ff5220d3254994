"""What an experiment can see and what it will cost, told before it is started. Pure."""

from dataclasses import dataclass
from decimal import Decimal

from billing.pricing import Price
from routing.judging import canaries, prompts, standings

RULES_TOKENS = 400  # of the judge's instructions and frame
USUAL_REQUEST, USUAL_ANSWER = 1000, 500  # tokens, where no calls were measured yet


@dataclass(frozen=True)
class Forecast:
    """USD; None where a price is not known."""

    pairs: int
    edge: float | None  # the win rate from which so many pairs likely show a winner
    half_width: float
    judge_cost: Decimal | None
    shadow_cost: Decimal | None  # the dearer of the two arms, for every pair

    @property
    def total(self) -> Decimal | None:
        if self.judge_cost is None or self.shadow_cost is None:
            return None
        return self.judge_cost + self.shadow_cost


def of(
    pairs: int,
    *,
    judge: Price | None,
    arms: list[Price | None],
    request_tokens: int = USUAL_REQUEST,
    answer_tokens: int = USUAL_ANSWER,
) -> Forecast:
    """Each pair is read twice by the judge; of two arms one answers a second time."""
    challengers = max(1, len(arms) - 1)
    read = request_tokens + 2 * answer_tokens + RULES_TOKENS
    tests = (1 + pairs // canaries.EVERY) * 5
    judged = _cost(judge, read, prompts.MAX_TOKENS, times=2 * pairs + tests)
    shadows = [_cost(arm, request_tokens, answer_tokens, times=pairs) for arm in arms]
    known = [cost for cost in shadows if cost is not None]
    return Forecast(
        pairs=pairs,
        edge=standings.visible_edge(pairs, challengers=challengers),
        half_width=standings.half_width(pairs, 0.25, alpha=standings.ALPHA / challengers),
        judge_cost=judged,
        shadow_cost=max(known) if len(known) == len(shadows) and known else None,
    )


def _cost(price: Price | None, read: int, written: int, *, times: int) -> Decimal | None:
    if price is None:
        return None
    rates = price.rates_for(read)
    one = (read * rates.input + written * rates.output).scaleb(-6) + rates.per_request
    return one * times
