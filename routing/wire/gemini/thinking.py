"""How much a Gemini model shall think, and the room that its thoughts take. Pure.

Gemini 3 and later think by levels, 2.5 by a budget of tokens, 2.0 not at all. Thoughts count
against `maxOutputTokens`, so that a small maximum may leave no word of an answer.
"""

import msgspec

from routing.conversation import Conversation, Json, Reasoning
from routing.providers.spec import Quirks

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
# Google's own table for its OpenAI-compatible endpoint (ai.google.dev/gemini-api/docs/openai).
_BUDGETS = {
    "none": 0, "minimal": 512, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 24576,
    "max": 24576,
}  # fmt: skip
SMALLEST_BUDGET, LARGEST_BUDGET = 512, 24576  # that every model of 2.5 takes
USUAL_LEVELS = ("low", "medium", "high")  # that every model of Gemini 3 and 4 has

# A maximum below this, from a caller who says nothing of thinking, is meant for text.
SMALL_MAXIMUM = 4096
LEAST_ROOM = 1024  # tokens for the thoughts of a model that cannot be told to have none


class Thinking(msgspec.Struct, frozen=True):
    """`config` is the `thinkingConfig`; `room` is to be added to the caller's maximum."""

    config: Json
    room: int = 0


def plan(conversation: Conversation, quirks: Quirks, adapted: list[str]) -> Thinking:
    """The wish in the words of the model; what is not followed to the letter is in `adapted`."""
    wish = conversation.reasoning
    if not quirks.thinking:
        if wish and not (wish.is_off or wish.effort == "none"):
            adapted.append(_name(wish))
        return Thinking({})
    config: Json = {}
    if wish and wish.shown and not wish.is_off and wish.effort != "none":
        config["includeThoughts"] = True
    room = 0
    if _is_small(conversation):
        wish = Reasoning(is_off=True)
        room = LEAST_ROOM if quirks.thinking == "level" else quirks.least_thinking
    told = adapted if conversation.reasoning else []
    if wish and quirks.thinking == "level":
        _add_level(wish, quirks, config, told)
    elif wish:
        _add_budget(wish, quirks, conversation.max_tokens, config, told)
    return Thinking(config, room)


def _is_small(conversation: Conversation) -> bool:
    """Whether the caller wants few words and thoughts are nobody's wish."""
    wish, most = conversation.reasoning, conversation.max_tokens
    is_unwanted = wish is None or wish.is_off or wish.effort == "none"
    return is_unwanted and most is not None and most < SMALL_MAXIMUM


def _add_level(wish: Reasoning, quirks: Quirks, config: Json, adapted: list[str]) -> None:
    effort = _effort(wish)
    if not effort:
        return
    level = _known(effort, quirks.efforts or USUAL_LEVELS)
    config["thinkingLevel"] = level.upper()
    if level != effort or wish.budget is not None:
        adapted.append(_name(wish))


def _add_budget(
    wish: Reasoning, quirks: Quirks, most: int | None, config: Json, adapted: list[str]
) -> None:
    wanted = 0 if wish.is_off else wish.budget
    if wanted is None:
        if not wish.effort:
            return
        wanted = _BUDGETS.get(wish.effort, _BUDGETS["medium"])
        if most is not None and wanted >= most:  # an effort is relative: leave half for the text
            wanted = max(SMALLEST_BUDGET, most // 2)
    least = max(SMALLEST_BUDGET, quirks.least_thinking)
    budget = quirks.least_thinking if wanted <= 0 else min(max(wanted, least), LARGEST_BUDGET)
    config["thinkingBudget"] = budget
    if budget != wanted:
        adapted.append(_name(wish))


def _effort(wish: Reasoning) -> str:
    if wish.is_off:
        return "none"
    if wish.effort or wish.budget is None:
        return wish.effort
    return next((e for e, most in _BUDGETS.items() if wish.budget <= most), "high")


def _known(effort: str, known: tuple[str, ...]) -> str:
    """The least of the known efforts that is not below the one wanted; else the greatest."""
    place = EFFORTS.index(effort) if effort in EFFORTS else EFFORTS.index("medium")
    return next((one for one in known if EFFORTS.index(one) >= place), known[-1])


def _name(wish: Reasoning) -> str:
    """The caller's parameter: budgets are Anthropic's word, efforts everybody else's."""
    return "thinking" if wish.budget is not None else "reasoning_effort"
