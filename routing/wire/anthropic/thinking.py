"""Thinking: how callers ask for it, and how Claude's families are asked."""

from typing import Any

import msgspec

from routing.conversation import Reasoning
from routing.providers.spec import Quirks
from routing.wire.anthropic.fields import Json, refused, typed

LEAST_BUDGET = 1024
USUAL_MAXIMUM = 8192

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
# Tokens of thinking that an effort stands for where a budget is asked.
BUDGETS = {
    "minimal": 1024, "low": 1024, "medium": 2048, "high": 4096, "xhigh": 8192, "max": 16384,
}  # fmt: skip
_USUAL_EFFORT = "medium"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a request that have to do with thinking."""

    thinking: Json | None = None
    effort: str = ""
    max_tokens: int

    @property
    def thinks(self) -> bool:
        return self.thinking is not None and self.thinking["type"] != "disabled"


# The caller's side ----------------------------------------------------------------------------


def read(body: Json) -> Reasoning | None:
    """What a caller wants of the model's thinking; None if it does not say."""
    config = typed(body, "output_config", dict) or {}
    effort = typed(config, "effort", str, param="output_config.effort") or ""
    wish = typed(body, "thinking", dict)
    if wish is None:
        return Reasoning(effort=effort) if effort else None
    kind, shown = wish.get("type"), wish.get("display") != "omitted"
    if kind == "disabled":
        return Reasoning(is_off=True)
    if kind == "enabled":
        budget = wish.get("budget_tokens")
        if type(budget) is not int or budget < 1:
            raise refused("thinking", "budget_tokens must be a whole number from 1 up")
        return Reasoning(effort=effort, budget=budget, shown=shown)
    if kind in ("adaptive", "between_tools"):
        return Reasoning(effort=effort or _USUAL_EFFORT, shown=shown)
    raise refused("thinking", "type must be enabled, adaptive, between_tools or disabled")


# The provider's side --------------------------------------------------------------------------


def write(
    wish: Reasoning | None,
    quirks: Quirks,
    *,
    max_tokens: int | None,
    most: int | None,
    allowed: bool,
    by_budget: bool,
    adapted: list[str],
) -> Plan:
    """Thinking as the model is asked for it, and a maximum that leaves room for the answer.

    `allowed` is false where the model must call a tool, `by_budget` where a budget is refused.
    """
    usual = min(most or USUAL_MAXIMUM, USUAL_MAXIMUM)
    maximum = min(max_tokens or usual, most or max_tokens or usual)
    if max_tokens and maximum < max_tokens:
        adapted.append("max_tokens")
    if wish is None:
        return Plan(max_tokens=maximum)
    if wish.is_off or wish.effort == "none":
        return _off(quirks, maximum, adapted)
    must_budget = quirks.thinking == "budget"
    if not quirks.thinking or not allowed or (must_budget and not by_budget):
        adapted.append("reasoning_effort")
        return Plan(max_tokens=maximum)
    if must_budget or (by_budget and _names_budget(wish, quirks)):
        return _manual(wish, max_tokens, maximum, most, adapted)
    effort = closest(_effort_of(wish), quirks.efforts)
    if max_tokens is None:
        maximum = min(maximum + BUDGETS.get(effort, 0), most or USUAL_MAXIMUM)
    display = "summarized" if wish.shown else "omitted"
    asked = {"type": "adaptive", "display": display}
    return Plan(thinking=asked, effort=effort, max_tokens=maximum)


def effort_of_budget(budget: int) -> str:
    if budget >= BUDGETS["high"]:
        return "high"
    if budget >= BUDGETS["medium"]:
        return "medium"
    return "low"


def closest(effort: str, known: tuple[str, ...]) -> str:
    """The nearest effort that the model knows, never more than was asked where there is less."""
    if not effort or not known:
        return "low" if effort in {"none", "minimal"} else effort
    rank = EFFORTS.index(effort) if effort in EFFORTS else EFFORTS.index(_USUAL_EFFORT)
    below = [name for name in known if EFFORTS.index(name) <= rank]
    return below[-1] if below else known[0]


def _off(quirks: Quirks, maximum: int, adapted: list[str]) -> Plan:
    if not quirks.thinking or quirks.thinking == "budget":
        return Plan(max_tokens=maximum)  # thinks only when asked to
    if "disabled" in quirks.thinking_types or not quirks.thinking_types:
        return Plan(thinking={"type": "disabled"}, max_tokens=maximum)
    adapted.append("reasoning_effort")
    return Plan(effort=closest("none", quirks.efforts), max_tokens=maximum)


def _names_budget(wish: Reasoning, quirks: Quirks) -> bool:
    """Whether the model can be given the very budget that the caller named."""
    return bool(wish.budget and not wish.effort and "enabled" in quirks.thinking_types)


def _manual(
    wish: Reasoning, asked: int | None, maximum: int, most: int | None, adapted: list[str]
) -> Plan:
    """A budget below the maximum: where the caller named one, thinking has to fit in."""
    budget = max(LEAST_BUDGET, wish.budget or BUDGETS.get(wish.effort) or BUDGETS[_USUAL_EFFORT])
    if asked is None:
        maximum = min(maximum + budget, most or maximum + budget)
    if budget >= maximum:
        budget = maximum - 1
        adapted.append("reasoning_effort")
        if budget < LEAST_BUDGET:
            return Plan(max_tokens=maximum)
    thinking: dict[str, Any] = {"type": "enabled", "budget_tokens": budget}
    if not wish.shown:
        thinking["display"] = "omitted"
    return Plan(thinking=thinking, max_tokens=maximum)


def _effort_of(wish: Reasoning) -> str:
    if wish.effort:
        return wish.effort
    return effort_of_budget(wish.budget) if wish.budget else ""
