"""Tools for Anthropic, what it must call, and a JSON answer where the model has none of its own."""

from collections.abc import Iterator

import msgspec

from accounts.errors import InvalidRequest
from routing.conversation import Conversation, Format, Tool, ToolCall, ToolChoice
from routing.providers.spec import ModelOffer, Quirks
from routing.wire.anthropic import names, parts, schema
from routing.wire.anthropic.fields import Json

_FREE_TEXT: Json = {
    "type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"],
}  # fmt: skip
_encode = msgspec.json.Encoder().encode

ANY_JSON = "Answer with one JSON object and nothing else: no code fence, no other text."
MUST_CALL = "You must call one of your tools."
MUST_CALL_NAMED = "You must call the tool {name}."
JSON_LAST = "Give your final answer by calling the tool {name}, and by nothing else."


class Toolbox(msgspec.Struct, kw_only=True):
    """The fields of a request that have to do with tools and with the form of the answer."""

    tools: list[Json]
    choice: Json | None = None
    format: Json | None = None
    advice: tuple[str, ...] = ()  # instructions that stand for what the model refuses

    @property
    def is_forced(self) -> bool:
        """Whether the model must call a tool; it cannot think then."""
        return self.choice is not None and self.choice["type"] in {"any", "tool"}


def write(
    conversation: Conversation, offer: ModelOffer | None, quirks: Quirks, adapted: list[str]
) -> Toolbox:
    """What a conversation asks for in tools and form. Raises InvalidRequest."""
    has_formats = offer is None or offer.has("json_schema")
    choice = conversation.tool_choice or ToolChoice()
    offered = [tool for tool in conversation.tools if not choice.only or tool.name in choice.only]
    box = Toolbox(tools=[_tool(tool, adapted, strict=has_formats) for tool in offered])
    _check_names(box.tools)
    if offered:
        _choose(box, choice, offered, quirks, adapted)
    elif called := _called(conversation):
        # A history of calls is refused without tools (providers.md of 2026-11).
        box.tools = called
        box.choice = {"type": "none"}
    if conversation.format:
        _form(box, conversation.format, quirks, adapted, is_native=has_formats)
    return box


def _tool(tool: Tool, adapted: list[str], *, strict: bool) -> Json:
    written: Json = {"name": names.to_wire(tool.name, tool.kind)}
    if description := _description(tool):
        written["description"] = description
    if tool.kind == "custom":
        written["input_schema"] = _FREE_TEXT
        adapted.append("tools")
        return parts.marked(written, tool.cache)
    root, changed = schema.of_object(tool.schema)
    if tool.strict and strict:
        root, lost = schema.cleaned(root)
        written["strict"] = True
        changed = changed or lost
    if changed or (tool.strict and not strict):
        adapted.append("tools")
    written["input_schema"] = root
    return parts.marked(written, tool.cache)


def _description(tool: Tool) -> str:
    if tool.kind != "custom" or not tool.grammar:
        return tool.description
    grammar = _encode(tool.grammar).decode()
    return f"{tool.description}\n\nThe input must follow this grammar: {grammar}".strip()


def _check_names(tools: list[Json]) -> None:
    seen: set[str] = set()
    for tool in tools:
        if tool["name"] in seen:
            raise InvalidRequest(f"tools: {tool['name']} stands twice.", param="tools")
        seen.add(tool["name"])


def _choose(
    box: Toolbox, choice: ToolChoice, offered: list[Tool], quirks: Quirks, adapted: list[str]
) -> None:
    if choice.mode == "none":
        box.choice = {"type": "none"}
        return
    named = next((tool for tool in offered if tool.name == choice.name), None)
    if choice.mode == "named" and named is None:
        raise InvalidRequest(
            f"tool_choice: there is no tool {choice.name!r} in tools.", param="tool_choice"
        )
    name = names.to_wire(named.name, named.kind) if named else ""
    written = {"type": "auto"}
    if choice.mode in {"required", "named"}:
        written = _forced(box, name, quirks, adapted)
    if choice.parallel is False:
        box.choice = {**written, "disable_parallel_tool_use": True}
    elif written["type"] != "auto":
        box.choice = written


def _forced(box: Toolbox, name: str, quirks: Quirks, adapted: list[str]) -> Json:
    """A choice that the model must follow; where it refuses that, an instruction."""
    if quirks.forced_tools == "none":
        adapted.append("tool_choice")
        box.advice += (MUST_CALL_NAMED.format(name=name) if name else MUST_CALL,)
        return {"type": "auto"}
    if not name:
        return {"type": "any"}
    if quirks.forced_tools == "any":
        box.tools = [tool for tool in box.tools if tool["name"] == name]
        return {"type": "any"}
    return {"type": "tool", "name": name}


def _form(
    box: Toolbox, wanted: Format, quirks: Quirks, adapted: list[str], *, is_native: bool
) -> None:
    """A JSON answer: natively, by a tool that stands for it, or by an instruction."""
    if wanted.kind == "json":
        adapted.append("response_format")
        box.advice += (ANY_JSON,)
        return
    if is_native:
        cleaned, lost = schema.cleaned(wanted.schema)
        if lost:
            adapted.append("response_format")
        box.format = {"type": "json_schema", "schema": cleaned}
        return
    adapted.append("response_format")
    tool: Json = {"name": names.JSON_TOOL, "input_schema": schema.of_object(wanted.schema)[0]}
    tool["description"] = wanted.description or "The answer, as JSON."
    if box.tools or quirks.forced_tools == "none":
        box.advice += (JSON_LAST.format(name=names.JSON_TOOL),)
        if box.choice == {"type": "none"}:
            box.choice = None
    else:
        one = {"type": "tool", "name": names.JSON_TOOL}
        box.choice = {**one, "disable_parallel_tool_use": True}
    box.tools.append(tool)


def _called(conversation: Conversation) -> list[Json]:
    """Stubs of the tools that were called before."""
    calls = {names.to_wire(call.name, call.kind) for call in _calls(conversation)}
    return [{"name": name, "input_schema": {"type": "object"}} for name in sorted(calls)]


def _calls(conversation: Conversation) -> Iterator[ToolCall]:
    for turn in conversation.turns:
        for block in turn.blocks:
            if isinstance(block, ToolCall):
                yield block
