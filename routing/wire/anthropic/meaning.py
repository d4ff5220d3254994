"""What a caller of this dialect means: its whole body, read into the neutral middle."""

from typing import Any

import msgspec

from accounts.errors import InvalidRequest
from routing.chat import ChatRequest
from routing.conversation import Conversation, Format, Role, Text, Tool, ToolChoice, Turn
from routing.wire.anthropic import blocks, fields, thinking
from routing.wire.anthropic.fields import Json, refused, typed

_encode = msgspec.json.Encoder().encode

# Claude Code's first system block; it differs per session and says nothing to a model
# (seen in Claude Code 2.1.328, 2026-11).
BILLING_HEADER = "x-anthropic-billing-header:"

_ROLES: dict[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}
_MODES: dict[str, Any] = {"auto": "auto", "any": "required", "none": "none", "tool": "named"}
_TIERS = {"auto": "auto", "standard_only": "default"}
_READ = frozenset(
    {
        "model", "messages", "max_tokens", "system", "stream", "temperature", "top_p", "top_k",
        "stop_sequences", "tools", "tool_choice", "thinking", "output_config", "output_format",
        "metadata", "service_tier",
    }
)  # fmt: skip


class ThreadUnsupported(InvalidRequest):
    """Anthropic's tool runner reads these details, and goes on with its full history."""

    message = "This model keeps no threads."
    advice = "Send the whole conversation in messages, without thread."

    @property
    def details(self) -> dict[str, Any]:
        found = {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
        return {**super().details, "details": found}


def converse(chat: ChatRequest, gateway_fields: tuple[str, ...] = ()) -> Conversation:
    """The body of a request in nobody's dialect. Raises InvalidRequest naming the field."""
    body = chat.body
    if body.get("thread") is not None:
        raise ThreadUnsupported(param="thread")
    lost: list[str] = []
    turns = tuple(_turns(body["messages"], lost))
    tools = tuple(_tools(body, lost))
    conversation = Conversation(
        turns=turns,
        system=tuple(_system(body)),
        tools=tools,
        tool_choice=_tool_choice(body, tools),
        format=_format(body),
        reasoning=thinking.read(body),
        max_tokens=None if chat.max_tokens is None else max(1, chat.max_tokens),
        temperature=fields.number(body, "temperature"),
        top_p=fields.number(body, "top_p"),
        top_k=fields.count(body, "top_k"),
        stop=fields.texts(body, "stop_sequences"),
        user=_user(body),
        others=_others(body),
    )
    if (body.get("output_config") or {}).keys() - {"effort", "format"}:
        lost.append("output_config")
    known = _READ.union(gateway_fields)
    lost += [name for name, value in body.items() if name not in known and value is not None]
    return msgspec.structs.replace(conversation, untranslatable=tuple(dict.fromkeys(lost)))


def _system(body: Json) -> list[Text]:
    system = body.get("system")
    if system is None or isinstance(system, str):
        return [Text(system)] if system else []
    if not isinstance(system, list):
        raise refused("system", "must be a text or a list of text blocks")
    found = []
    for block in system:
        if not isinstance(block, dict) or not isinstance(block.get("text"), str):
            raise refused("system", "must be a text or a list of text blocks")
        text = block["text"]
        if text and not text.startswith(BILLING_HEADER):
            found.append(Text(text, blocks.cache_of(block)))
    return found


def _turns(messages: list[Any], lost: list[str]) -> list[Turn]:
    turns = []
    for number, message in enumerate(messages):
        place = f"messages.{number}"
        role = _ROLES.get(str(message.get("role"))) if isinstance(message, dict) else None
        if role is None:
            raise refused("messages", f"{place} must be an object with role user or assistant")
        found = tuple(blocks.of_content(message.get("content"), place, lost))
        if found:
            turns.append(Turn(role, found))
    return turns


def _tools(body: Json, lost: list[str]) -> list[Tool]:
    """The tools that the caller runs; Anthropic's own have no counterpart elsewhere."""
    found = []
    for number, tool in enumerate(typed(body, "tools", list) or ()):
        place = f"tools.{number}"
        if not isinstance(tool, dict):
            raise refused("tools", f"{place} must be an object")
        if tool.get("type") not in (None, "custom"):
            lost.append("tools")
            continue
        if not isinstance(tool.get("name"), str) or not tool["name"]:
            raise refused("tools", f"{place}.name must be a text")
        schema = typed(tool, "input_schema", dict, param=f"{place}.input_schema")
        found.append(
            Tool(
                name=tool["name"],
                description=_description(tool, place),
                schema=schema or {},
                strict=typed(tool, "strict", bool, param=f"{place}.strict"),
                cache=blocks.cache_of(tool),
            )
        )
    return found


def _description(tool: Json, place: str) -> str:
    """What the tool does, with the examples of its input, which have no field elsewhere."""
    text = typed(tool, "description", str, param=f"{place}.description") or ""
    examples = tool.get("input_examples")
    if not isinstance(examples, list) or not examples:
        return text
    lines = "\n".join(_encode(example).decode() for example in examples)
    return f"{text}\n\nExamples of its input:\n{lines}".strip()


def _tool_choice(body: Json, tools: tuple[Tool, ...]) -> ToolChoice | None:
    choice = typed(body, "tool_choice", dict)
    if choice is None:
        return None
    mode: Any = _MODES.get(str(choice.get("type")))
    if mode is None:
        raise refused("tool_choice", "type must be auto, any, tool or none")
    parallel = False if choice.get("disable_parallel_tool_use") is True else None
    name = choice.get("name") if mode == "named" else ""
    if not isinstance(name, str):
        raise refused("tool_choice", "name must be the name of a tool")
    if mode == "named" and name not in {tool.name for tool in tools}:
        mode, name = "auto", ""  # a tool of Anthropic's own, which was left out
    return ToolChoice(mode=mode, name=name, parallel=parallel)


def _format(body: Json) -> Format | None:
    """`output_config.format`, or the older `output_format`."""
    config = typed(body, "output_config", dict) or {}
    wanted = config.get("format") or body.get("output_format")
    if wanted is None:
        return None
    if not isinstance(wanted, dict) or wanted.get("type") != "json_schema":
        raise refused("output_config", "format must be an object of type json_schema")
    schema = wanted.get("schema")
    if not isinstance(schema, dict):
        raise refused("output_config", "format.schema must be a JSON Schema")
    return Format(kind="json_schema", schema=schema, strict=True)


def _user(body: Json) -> str:
    metadata = typed(body, "metadata", dict) or {}
    return typed(metadata, "user_id", str, param="metadata.user_id") or ""


def _others(body: Json) -> Json:
    tier = _TIERS.get(typed(body, "service_tier", str) or "")
    return {"service_tier": tier} if tier else {}
