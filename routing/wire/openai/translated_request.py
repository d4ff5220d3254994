"""Requests between this dialect and the neutral middle, in both directions."""

from routing.chat import Body, ChatRequest
from routing.conversation import Conversation, Format, Json, Reasoning, Tool, ToolChoice
from routing.providers.spec import ModelOffer, Quirks
from routing.wire.openai import fields, messages, request, turns
from routing.wire.openai.quirks import nearest_effort
from routing.wire.sides import Written

# Budgets of thinking as efforts, from the largest down.
_EFFORT_FROM = ((16384, "xhigh"), (4096, "high"), (2048, "medium"), (1024, "low"))


def converse(chat: ChatRequest) -> Conversation:
    """A caller's body in the neutral middle. Raises InvalidRequest naming the field."""
    system, spoken = turns.read(chat.body["messages"])
    return Conversation(system=system, turns=spoken, **fields.read(chat.body))


def write_conversation(
    conversation: Conversation,
    *,
    model: str,
    offer: ModelOffer | None,
    quirks: Quirks,
    stream: bool,
) -> Written:
    """The body that a provider of this dialect is sent for a caller of another."""
    body: Body = {"messages": messages.write(conversation, quirks), **conversation.others}
    plain = {
        "max_completion_tokens": conversation.max_tokens,
        "temperature": conversation.temperature,
        "top_p": conversation.top_p,
        "stop": list(conversation.stop) or None,
        "seed": conversation.seed,
        "n": conversation.n,
        "user": conversation.user or None,
        "response_format": _format(conversation.format),
        "reasoning_effort": _effort(conversation.reasoning, quirks),
    }
    body |= {name: value for name, value in plain.items() if value is not None}
    adapted = list(conversation.untranslatable)
    if conversation.top_k is not None:
        if "top_k" in quirks.takes:
            body["top_k"] = conversation.top_k
        else:
            adapted.append("top_k")
    if conversation.reasoning and not quirks.thinking:
        adapted.append("reasoning_effort")
    if conversation.tools:
        _write_tools(conversation.tools, conversation.tool_choice, body)
    if stream:
        body["stream"] = True
    written = request.finish(body, model=model, offer=offer, quirks=quirks, stream=stream)
    renamed = quirks.rename.keys()
    told = (name for name in written.adapted if name not in renamed)
    return Written(
        path=written.path, body=written.body, adapted=tuple(dict.fromkeys((*adapted, *told)))
    )


def _write_tools(tools: tuple[Tool, ...], choice: ToolChoice | None, body: Body) -> None:
    if choice and choice.only:
        tools = tuple(tool for tool in tools if tool.name in choice.only) or tools
    body["tools"] = [written_tool(tool) for tool in tools]
    if choice is None:
        return
    if choice.parallel is not None:
        body["parallel_tool_calls"] = choice.parallel
    if choice.mode == "named":
        body["tool_choice"] = {"type": "function", "function": {"name": choice.name}}
    elif choice.mode != "auto" or choice.only:
        body["tool_choice"] = choice.mode


def written_tool(tool: Tool) -> Json:
    """A tool as every provider of this dialect takes it."""
    if tool.kind == "custom":
        return _custom(tool)
    described: Json = {"name": tool.name, "description": tool.description}
    if not tool.description:
        del described["description"]
    described["parameters"] = tool.schema or {"type": "object", "properties": {}}
    if tool.strict is not None:
        described["strict"] = tool.strict
    return {"type": "function", "function": described}


def _custom(tool: Tool) -> Json:
    """A custom tool as a function with one text: every provider knows functions."""
    hint = ""
    if tool.grammar:
        syntax, text = tool.grammar.get("syntax"), tool.grammar.get("definition")
        hint = f"\n\nThe input follows this {syntax} grammar:\n{text}"
    schema = {
        "type": "object",
        "properties": {"input": {"type": "string"}},
        "required": ["input"],
        "additionalProperties": False,
    }
    described = {
        "name": tool.name,
        "description": f"{tool.description}{hint}",
        "parameters": schema,
    }
    return {"type": "function", "function": described}


def _format(wanted: Format | None) -> Json | None:
    if wanted is None:
        return None
    if wanted.kind == "json":
        return {"type": "json_object"}
    described: Json = {"name": wanted.name, "schema": wanted.schema}
    if wanted.strict is not None:
        described["strict"] = wanted.strict
    if wanted.description:
        described["description"] = wanted.description
    return {"type": "json_schema", "json_schema": described}


def _effort(wanted: Reasoning | None, quirks: Quirks) -> str | None:
    """How hard to think, in the words that this provider knows; None leaves it to the provider."""
    if wanted is None or not quirks.thinking:
        return None
    effort = wanted.effort or _effort_of_budget(wanted.budget)
    if wanted.is_off:
        effort = "none"
    if not effort:
        return None
    return nearest_effort(effort, quirks.efforts) if quirks.efforts else effort


def _effort_of_budget(budget: int | None) -> str:
    if budget is None:
        return ""
    return next((effort for least, effort in _EFFORT_FROM if budget >= least), "minimal")
