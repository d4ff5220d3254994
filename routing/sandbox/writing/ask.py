"""What a request asks for, whatever dialect it came in. Frozen values, pure."""

import re
from dataclasses import dataclass
from typing import Any, Final

from routing.sandbox.memory import Part
from routing.sandbox.writing.specimens import Schema

ANY_OBJECT: Final[Schema] = {
    "type": "object",
    "properties": {"sandbox": {"const": True}, "answer": {"type": "string"}},
}

# Models that think before they answer, by the names of their families (vendors' lists, 2026-11).
_REASONS = re.compile(
    r"(?:^|/)(?:o\d|gpt-(?:[5-9]|\d\d)|gpt-oss|deepseek-(?:r\d|v4)|qwen-?3|qwq|grok-(?:3-mini|[4-9])"
    r"|gemini-(?:2\.5|[3-9])|magistral|minimax-m|glm-(?:4\.[5-9]|[5-9])|zai-glm|nemotron)"
    r"|(?<!non-)(?:think|reason)",
    re.IGNORECASE,
)
_ANSWERS_AT_ONCE = re.compile(r"-chat\b|non-reasoning|instruct|embed", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the model may call. A custom one takes a text and no arguments."""

    name: str
    schema: Schema
    is_custom: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request for an answer."""

    model: str
    parts: tuple[Part, ...]  # the prompt
    media_tokens: int = 0
    user_text: str = ""
    system_text: str = ""  # where the dialect of most judges has one
    tool_result: str | None = None  # if that is what the conversation ends with
    tools: tuple[Tool, ...] = ()
    tool_choice: str = "auto"  # none, auto, required, or
    named_tools: frozenset[str] = frozenset()  # one of these
    is_parallel: bool = True
    schema: Schema | None = None  # the answer is JSON of this shape
    max_tokens: int | None = None
    stops: tuple[str, ...] = ()
    count: int = 1
    top_logprobs: int | None = None  # None: no logprobs at all
    thinks: bool = False
    shows_thoughts: bool = True
    stream: bool = False
    wants_usage: bool | None = None  # None: not said

    @property
    def prompt_tokens(self) -> int:
        return sum(part.tokens for part in self.parts)


def reasons(model: str) -> bool:
    """Whether a model thinks unless it is told not to."""
    return bool(_REASONS.search(model)) and not _ANSWERS_AT_ONCE.search(model)


def text_of(content: Any) -> str:
    """The text in a message's content: a string, or the texts of its parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = [part.get("text") for part in content if isinstance(part, dict)]
    texts += [part for part in content if isinstance(part, str)]
    return " ".join(text for text in texts if isinstance(text, str))


def stops_of(value: Any) -> tuple[str, ...]:
    """Stop sequences, given as one text or as a list of them."""
    if isinstance(value, str):
        return (value,) if value else ()
    return tuple(value) if isinstance(value, list) else ()
