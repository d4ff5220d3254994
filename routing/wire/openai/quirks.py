"""What a provider of this dialect wants otherwise: its quirks, applied to a request's body.

Every function changes the body in place (messages are replaced, never edited: they are the
caller's own) and names what it took from the caller in `adapted`.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec

from accounts.by_identity import by_identity
from routing.chat import Body
from routing.providers.spec import ModelOffer, Quirks

PLAIN = Quirks()
_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_THOUGHTS = ("reasoning", "reasoning_content", "reasoning_details")


def apply(quirks: Quirks, offer: ModelOffer | None, body: Body, adapted: list[str]) -> None:
    """Fit a body to its provider and model."""
    if quirks is not PLAIN:
        _fit_parameters(quirks, body, adapted)
        _fit_tool_choice(quirks, body, adapted)
        changes = _message_changes(quirks)
        if changes:
            body["messages"] = [_changed(message, changes) for message in body["messages"]]
        if quirks.system_first:
            body["messages"] = _system_first(body["messages"])
    _fit_maximum(body, offer, quirks, adapted)


def _fit_parameters(quirks: Quirks, body: Body, adapted: list[str]) -> None:
    for old, new in quirks.rename.items():
        if old in body:
            value = body.pop(old)
            body.setdefault(new, value)
            adapted.append(old)
    adapted += [name for name in quirks.drop if body.pop(name, None) is not None]
    stop = body.get("stop")
    if quirks.max_stop and isinstance(stop, list) and len(stop) > quirks.max_stop:
        body["stop"] = stop[: quirks.max_stop]
        adapted.append("stop")
    most, asked = quirks.max_temperature, body.get("temperature")
    if most is not None and isinstance(asked, int | float) and asked > most:
        body["temperature"] = most
        adapted.append("temperature")
    effort = body.get("reasoning_effort")
    if quirks.efforts and isinstance(effort, str) and effort not in quirks.efforts:
        body["reasoning_effort"] = nearest_effort(effort, quirks.efforts)
        adapted.append("reasoning_effort")


EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


def nearest_effort(asked: str, known: tuple[str, ...]) -> str:
    """The effort that is known and nearest to the one asked for; the lower of two as near."""
    if asked not in EFFORTS:
        return known[len(known) // 2]
    place = EFFORTS.index(asked)
    ranked = [effort for effort in known if effort in EFFORTS] or list(known)
    return min(ranked, key=lambda effort: abs(_place(effort) - place))


def _place(effort: str) -> int:
    return EFFORTS.index(effort) if effort in EFFORTS else len(EFFORTS)


def _fit_tool_choice(quirks: Quirks, body: Body, adapted: list[str]) -> None:
    choice = body.get("tool_choice")
    if choice is None or choice in ("auto", "none"):
        return
    if quirks.forced_tools == "none":
        body["tool_choice"] = "auto"
        adapted.append("tool_choice")
    elif choice == "required":
        body["tool_choice"] = quirks.required_as
    elif quirks.forced_tools == "any" and isinstance(choice, dict):
        _force_by_list(quirks, body, choice)


def _force_by_list(quirks: Quirks, body: Body, choice: dict[str, Any]) -> None:
    """One tool, forced where only "some tool" can be: it is the only one that is offered."""
    wanted, tools = _name_of(choice), body.get("tools")
    if isinstance(wanted, str) and isinstance(tools, list):
        body["tools"] = [tool for tool in tools if _name_of(tool) == wanted] or tools
    body["tool_choice"] = quirks.required_as


def _name_of(tool: Any) -> Any:
    described = tool.get("function") if isinstance(tool, dict) else None
    return described.get("name") if isinstance(described, dict) else None


Change = Callable[[dict[str, Any]], dict[str, Any]]


@by_identity(1000)
def _message_changes(quirks: Quirks) -> list[Change]:
    """What is to be done to each message; nothing for most providers."""
    changes: list[Change] = []
    if dropped := frozenset(quirks.drop_in_messages):
        changes.append(lambda message: {k: v for k, v in message.items() if k not in dropped})
    if quirks.developer_as != "developer":
        changes.append(lambda message: _renamed_role(message, quirks.developer_as))
    if quirks.tool_id_length:
        changes.append(lambda message: _with_short_ids(message, quirks.tool_id_length))
    if quirks.tool_text_only:
        changes.append(_with_tool_text)
    if quirks.reasoning_in_history in {"reasoning", "reasoning_content"}:
        changes.insert(0, lambda message: _with_thoughts_in(message, quirks.reasoning_in_history))
    return changes


def _changed(message: Any, changes: list[Change]) -> Any:
    if isinstance(message, dict):
        for change in changes:
            message = change(message)
    return message


def _renamed_role(message: dict[str, Any], role: str) -> dict[str, Any]:
    return {**message, "role": role} if message.get("role") == "developer" else message


def _with_thoughts_in(message: dict[str, Any], place: str) -> dict[str, Any]:
    """Thoughts of the history under the one name that this provider knows."""
    thoughts = message.get("reasoning") or message.get("reasoning_content")
    if message.get("role") != "assistant" or not isinstance(thoughts, str):
        return message
    kept = {name: value for name, value in message.items() if name not in _THOUGHTS}
    return {**kept, place: thoughts}


def _with_short_ids(message: dict[str, Any], length: int) -> dict[str, Any]:
    """Ids of calls and results in the form that the provider takes."""
    calls, result = message.get("tool_calls"), message.get("tool_call_id")
    if isinstance(result, str):
        message = {**message, "tool_call_id": short_id(result, length)}
    if isinstance(calls, list):
        message = {**message, "tool_calls": [_with_short_id(call, length) for call in calls]}
    return message


def _with_short_id(call: Any, length: int) -> Any:
    if isinstance(call, dict) and isinstance(call.get("id"), str):
        return {**call, "id": short_id(call["id"], length)}
    return call


def short_id(id_: str, length: int) -> str:
    """An id of so many letters and digits: the same one if it fits, else made from its hash."""
    if len(id_) == length and id_.isascii() and id_.isalnum():
        return id_
    number = int.from_bytes(hashlib.sha256(id_.encode()).digest()[:16])
    letters = []
    for _ in range(length):
        number, rest = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[rest])
    return "".join(letters)


def _with_tool_text(message: dict[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    if message.get("role") != "tool" or not isinstance(content, list):
        return message
    return {**message, "content": "\n".join(_text_of(part) for part in content)}


def _text_of(part: Any) -> str:
    text = part.get("text") if isinstance(part, dict) else None
    return text if isinstance(text, str) else msgspec.json.encode(part).decode()


def _system_first(messages: list[Any]) -> list[Any]:
    """Later system messages as the user's, for providers that take them at the start alone."""
    placed, is_start = [], True
    for message in messages:
        is_system = isinstance(message, dict) and message.get("role") == "system"
        is_start = is_start and is_system
        placed.append({**message, "role": "user"} if is_system and not is_start else message)
    return placed


def _fit_maximum(body: Body, offer: ModelOffer | None, quirks: Quirks, adapted: list[str]) -> None:
    """Keep the maximum of output tokens within what the model can give."""
    most = offer.output if offer else None
    if most is None:
        return
    for name in ("max_completion_tokens", "max_tokens"):
        asked = body.get(name)
        if isinstance(asked, int) and asked > most:
            body[name] = most
            adapted.append(name)
    if quirks.send_max_tokens and not ({"max_completion_tokens", "max_tokens"} & body.keys()):
        body["max_completion_tokens"] = most
