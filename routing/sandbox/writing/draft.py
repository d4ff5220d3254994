"""Decides what a model would say: the same for the same request, and marked as the sandbox's."""

import re
from dataclasses import dataclass
from enum import Enum
from itertools import cycle, islice
from typing import Final

import msgspec

from routing.sandbox.memory import Cached
from routing.sandbox.writing import judge, specimens
from routing.sandbox.writing.ask import Ask, Tool
from routing.sandbox.writing.counting import pieces, tokens_of

QUOTED: Final = 200  # characters of the caller's words that are repeated
MOST_WORDS: Final = 20_000

_CALLS_A_TOOL = re.compile(r"\b(?:use|call) the tool\b", re.IGNORECASE)
_PARALLEL = re.compile(r"parallel", re.IGNORECASE)
_LENGTH = re.compile(r"\b(\d{1,6}) words\b", re.IGNORECASE)
_FILLER = "And so the sandbox goes on, one plain word after the other, until there are enough."


class Finish(Enum):
    """Why a model stopped writing."""

    END = "end"
    STOP_SEQUENCE = "stop sequence"
    LENGTH = "length"
    TOOLS = "tools"


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool. `arguments` is JSON, or plain text for a custom tool."""

    index: int
    name: str
    arguments: str
    is_custom: bool = False

    @property
    def tokens(self) -> int:
        return tokens_of(self.name) + tokens_of(self.arguments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One answer."""

    text: str = ""
    thoughts: str = ""
    calls: tuple[Call, ...] = ()
    finish: Finish = Finish.END
    stop: str | None = None  # the sequence that was met

    @property
    def thought_tokens(self) -> int:
        return tokens_of(self.thoughts)

    @property
    def visible_tokens(self) -> int:
        return tokens_of(self.text) + sum(call.tokens for call in self.calls)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The answers to one request, and what they cost in tokens."""

    choices: tuple[Choice, ...]
    prompt: int  # cached tokens included
    cached: Cached
    media: int = 0

    @property
    def thoughts(self) -> int:
        return sum(choice.thought_tokens for choice in self.choices)

    @property
    def visible(self) -> int:
        return sum(choice.visible_tokens for choice in self.choices)

    @property
    def output(self) -> int:
        return self.thoughts + self.visible


def write(ask: Ask, *, label: str, cached: Cached, is_empty: bool) -> Draft:
    """The answers of a provider called `label`."""
    if is_empty:
        choices: tuple[Choice, ...] = (Choice(),) * ask.count
    else:
        choices = tuple(_choice(ask, label, number) for number in range(ask.count))
    return Draft(choices=choices, prompt=ask.prompt_tokens, cached=cached, media=ask.media_tokens)


def _choice(ask: Ask, label: str, number: int) -> Choice:
    budget = ask.max_tokens
    thoughts = _thoughts(ask) if ask.thinks else ""
    if budget is not None and thoughts:
        # At most half, so that a small limit still shows some of the answer.
        thoughts = "".join(pieces(thoughts)[: budget // 2])
        budget -= tokens_of(thoughts)
    calls = _calls(ask, number)
    if calls and (budget is None or sum(call.tokens for call in calls) <= budget):
        return Choice(thoughts=thoughts, calls=calls, finish=Finish.TOOLS)
    text, stop = _until_stop(_text(ask, label, number), ask.stops)
    finish = Finish.STOP_SEQUENCE if stop is not None else Finish.END
    if budget is not None and tokens_of(text) > budget:
        text, stop, finish = "".join(pieces(text)[:budget]), None, Finish.LENGTH
    return Choice(text=text, thoughts=thoughts, finish=finish, stop=stop)


def _thoughts(ask: Ask) -> str:
    about = ask.tool_result if ask.tool_result is not None else ask.user_text
    return f"This is about “{_quote(about, 40)}”. I am the sandbox, so I will say that."


def _text(ask: Ask, label: str, number: int) -> str:
    if ask.schema is not None:
        return msgspec.json.encode(specimens.of(ask.schema, number)).decode()
    if (verdict := judge.said(ask.user_text, ask.system_text)) is not None:
        return verdict
    text = f"[sandbox] {label}'s {ask.model} would answer here."
    if number:
        text += f" This is choice {number + 1}."
    if ask.tool_result is not None:
        return f"{text} The tool said: “{_quote(ask.tool_result, QUOTED)}”."
    text += f" You wrote: “{_quote(ask.user_text, QUOTED)}”."
    return _lengthened(text, ask.user_text)


def _lengthened(text: str, wish: str) -> str:
    """As many words as the caller asks for (“in 300 words”), if that is more than there are."""
    found = _LENGTH.search(wish)
    missing = min(int(found[1]), MOST_WORDS) - len(text.split()) if found else 0
    return " ".join([text, *islice(cycle(_FILLER.split()), missing)]) if missing > 0 else text


def _quote(text: str, most: int) -> str:
    return text[:most].strip()


def _until_stop(text: str, stops: tuple[str, ...]) -> tuple[str, str | None]:
    """The text before the first stop sequence in it, and that sequence."""
    found = [(at, stop) for stop in stops if stop and (at := text.find(stop)) >= 0]
    if not found:
        return text, None
    at, stop = min(found)
    return text[:at], stop


def _calls(ask: Ask, number: int) -> tuple[Call, ...]:
    if not ask.tools or ask.tool_choice == "none":
        return ()
    tools = [t for t in ask.tools if not ask.named_tools or t.name in ask.named_tools]
    if not tools or not (ask.tool_choice == "required" or _wants_tools(ask)):
        return ()
    mentioned = [tool for tool in tools if tool.name in ask.user_text]
    ordered = [*mentioned, *(tool for tool in tools if tool not in mentioned)]
    if ask.is_parallel and _PARALLEL.search(ask.user_text):
        ordered = (ordered * 2)[:2]
    else:
        ordered = ordered[:1]
    return tuple(_call(tool, index, number + index) for index, tool in enumerate(ordered))


def _wants_tools(ask: Ask) -> bool:
    """Whether the caller's last words are a message that asks for a tool."""
    if ask.tool_result is not None:
        return False
    if _CALLS_A_TOOL.search(ask.user_text):
        return True
    return any(tool.name in ask.user_text for tool in ask.tools)


def _call(tool: Tool, index: int, variant: int) -> Call:
    if tool.is_custom:
        return Call(index, tool.name, f"sandbox input {variant + 1}", is_custom=True)
    value = specimens.of({"type": "object", **tool.schema}, variant)
    return Call(index, tool.name, msgspec.json.encode(value).decode())
