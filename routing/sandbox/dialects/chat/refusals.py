"""What a provider refuses in a chat request: names, values, and the order of messages."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from routing.sandbox.dialects import shapes
from routing.sandbox.dialects.shapes import FLAG, INTEGER, LIST, OBJECT, TEXT, Shape
from routing.sandbox.problems import Cause
from routing.sandbox.profile import Exchange, Json

_TWO, _ONE = shapes.number(0, 2), shapes.number(0, 1)

Order = Callable[[Exchange, list[Json]], None]

_ROLES = frozenset({"system", "user", "assistant", "tool", "function"})
_JSON_WORD = re.compile("json", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A parameter that is not taken: by which models, and with which exceptions."""

    field: str
    models: str = ""  # a pattern; empty: all of them
    accepts: tuple[Any, ...] = ()  # values that pass all the same
    unless: Callable[[Json], bool] = lambda _: False
    cause: Cause = Cause.UNSUPPORTED
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """All that a provider insists on."""

    fields: frozenset[str] | None = None  # the parameters there are; None: others are ignored
    message_fields: Mapping[str, frozenset[str]] | None = None  # the same of messages, by role
    refuses: tuple[Refusal, ...] = ()
    roles: frozenset[str] = _ROLES
    temperature: Shape = _TWO
    top_p: Shape = _ONE
    tool_choices: Shape | None = None
    most_stops: int = 4
    most_choices: int = 128
    stream_options: bool = True  # only of streams
    text_for_tools: bool = False  # the content of tool messages has to be a string
    json_needs_word: bool = False  # JSON mode wants the word JSON in the prompt
    order: tuple[Order, ...] = ()

    @property
    def shapes(self) -> dict[str, Shape]:
        """What each known parameter may be."""
        return {
            "model": TEXT, "messages": LIST, "stream": FLAG, "logprobs": FLAG,
            "temperature": self.temperature, "top_p": self.top_p, "seed": INTEGER,
            "max_tokens": shapes.whole(1), "max_completion_tokens": shapes.whole(1),
            "top_logprobs": shapes.whole(0, 20), "n": shapes.whole(1, self.most_choices),
            "presence_penalty": shapes.number(-2, 2), "frequency_penalty": shapes.number(-2, 2),
            "logit_bias": OBJECT, "metadata": OBJECT, "response_format": OBJECT, "tools": LIST,
            "tool_choice": self.tool_choices or shapes.TEXT_OR_OBJECT,
            "parallel_tool_calls": FLAG, "stop": shapes.TEXTS, "user": TEXT,
            "stream_options": OBJECT, "reasoning_effort": TEXT,
        }  # fmt: skip


def check(exchange: Exchange, body: Json, rules: Rules) -> None:
    """Refuse a request as the provider would. Raises Refused."""
    shapes.require(exchange, body, "model", "messages")
    if rules.fields is not None:
        shapes.only(exchange, body, rules.fields)
    shapes.check(exchange, body, {"model": TEXT})
    _check_parameters(exchange, body, rules)
    shapes.check(exchange, body, rules.shapes)
    _check_counts(exchange, body, rules)
    _check_tools(exchange, body)
    _check_messages(exchange, body["messages"], rules)
    if rules.json_needs_word:
        _check_json_word(exchange, body)


def _check_parameters(exchange: Exchange, body: Json, rules: Rules) -> None:
    model = body["model"]
    for refusal in rules.refuses:
        value = body.get(refusal.field)
        if value is None or value in refusal.accepts or refusal.unless(body):
            continue
        if not refusal.models or re.search(refusal.models, model):
            raise exchange.refuse(refusal.cause, refusal.field, reason=refusal.reason, value=value)


def _check_counts(exchange: Exchange, body: Json, rules: Rules) -> None:
    stop = body.get("stop")
    if isinstance(stop, list) and len(stop) > rules.most_stops:
        reason = f"expected at most {rules.most_stops} stop sequences"
        raise exchange.refuse(Cause.INVALID, "stop", reason=reason, value=stop)
    has_options = body.get("stream_options") is not None
    if rules.stream_options and has_options and not body.get("stream"):
        reason = "only allowed when 'stream' is enabled"
        raise exchange.refuse(Cause.INVALID, "stream_options", reason=reason)
    if body.get("top_logprobs") is not None and not body.get("logprobs"):
        reason = "only allowed when 'logprobs' is true"
        raise exchange.refuse(Cause.INVALID, "top_logprobs", reason=reason)


def _check_tools(exchange: Exchange, body: Json) -> None:
    for index, tool in enumerate(body.get("tools") or ()):
        place = ("tools", index)
        if not isinstance(tool, dict) or not isinstance(tool.get("type"), str):
            raise exchange.refuse(Cause.MISSING, *place, "type")
        inner = tool.get(tool["type"])
        if tool["type"] in {"function", "custom"} and not (
            isinstance(inner, dict) and isinstance(inner.get("name"), str) and inner["name"]
        ):
            raise exchange.refuse(Cause.MISSING, *place, tool["type"], "name")


def _check_messages(exchange: Exchange, messages: list[Any], rules: Rules) -> None:
    if not messages:
        reason = "expected an array with at least one message"
        raise exchange.refuse(Cause.INVALID, "messages", reason=reason, value=messages)
    for index, message in enumerate(messages):
        if not isinstance(message, dict):
            raise exchange.refuse(Cause.INVALID, "messages", index, reason="expected an object")
        _check_message(exchange, message, rules, index)
    for order in rules.order:
        order(exchange, messages)


def _check_message(exchange: Exchange, message: Json, rules: Rules, index: int) -> None:
    place = ("messages", index)
    role = message.get("role")
    if role is None:
        raise exchange.refuse(Cause.MISSING, *place, "role")
    if role not in rules.roles:
        reason = f"expected one of {', '.join(sorted(rules.roles))}"
        raise exchange.refuse(Cause.INVALID, *place, "role", reason=reason, value=role)
    known = rules.message_fields[role] if rules.message_fields else message.keys()
    if odd := [name for name in message if name not in known]:
        raise exchange.refuse(Cause.UNKNOWN, *place, odd[0], role=role, value=message[odd[0]])
    _check_content(exchange, message, rules, index)


def _check_content(exchange: Exchange, message: Json, rules: Rules, index: int) -> None:
    place, role, content = ("messages", index), message["role"], message.get("content")
    if content is None:
        if role in {"assistant", "function"}:
            return
        raise exchange.refuse(Cause.MISSING, *place, "content")
    wanted = TEXT if rules.text_for_tools and role == "tool" else shapes.TEXT_OR_LIST
    shapes.check(exchange, message, {"content": wanted}, *place)
    for number, part in enumerate(content if isinstance(content, list) else ()):
        if not isinstance(part, dict) or not isinstance(part.get("type"), str):
            raise exchange.refuse(Cause.MISSING, *place, "content", number, "type")
    if role == "tool" and not isinstance(message.get("tool_call_id"), str):
        raise exchange.refuse(Cause.MISSING, *place, "tool_call_id")


def _check_json_word(exchange: Exchange, body: Json) -> None:
    wanted = body.get("response_format") or {}
    if wanted.get("type") == "json_object" and not _JSON_WORD.search(str(body["messages"])):
        raise exchange.problem("json_word")


def call_ids(message: Json) -> list[str]:
    """The ids of the tool calls in an assistant's message."""
    calls = message.get("tool_calls")
    found = [call.get("id") for call in calls or () if isinstance(call, dict)]
    return [one for one in found if isinstance(one, str)]


def answered_calls(exchange: Exchange, messages: list[Json]) -> None:
    """Every tool call is answered at once, and every answer belongs to a call (OpenAI)."""
    open_ids: set[str] = set()
    caller = 0
    for index, message in enumerate(messages):
        if message["role"] == "tool":
            if message["tool_call_id"] not in open_ids:
                raise exchange.problem("stray_tool_result", index=str(index))
            open_ids.discard(message["tool_call_id"])
            continue
        if open_ids:
            break
        open_ids, caller = set(call_ids(message)), index
    if open_ids:
        listed = ", ".join(sorted(open_ids))
        raise exchange.problem("unanswered_call", ids=listed, index=str(caller))
