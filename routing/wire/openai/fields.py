"""A caller's parameters, read into the neutral middle."""

from collections.abc import Callable
from typing import Any

from accounts.errors import InvalidRequest
from routing.conversation import Format, Json, Reasoning, Tool, ToolChoice
from routing.wire.openai.turns import cache_mark

# Read here or by the gateway itself; every other field is one of `Conversation.others`.
_READ = frozenset({
    "model", "messages", "stream", "stream_options", "models", "provider", "session_id",
    "fallbacks", "preset", "tools", "tool_choice", "parallel_tool_calls", "functions",
    "function_call", "response_format", "reasoning_effort", "reasoning", "thinking",
    "max_completion_tokens", "max_tokens", "temperature", "top_p", "top_k", "stop", "seed", "n",
    "user", "safety_identifier",
})  # fmt: skip


def read(body: Json) -> dict[str, Any]:
    """Fields of a Conversation but for its turns. Raises InvalidRequest naming the field."""
    return {
        "tools": tools(body),
        "tool_choice": tool_choice(body),
        "format": format_of(body),
        "reasoning": reasoning(body),
        "max_tokens": body.get("max_completion_tokens") or body.get("max_tokens"),
        "temperature": number(body, "temperature"),
        "top_p": number(body, "top_p"),
        "top_k": whole(body, "top_k"),
        "stop": stop(body),
        "seed": whole(body, "seed"),
        "n": whole(body, "n"),
        "user": _user(body),
        "others": {k: v for k, v in body.items() if k not in _READ and v is not None},
    }


def tools(body: Json) -> tuple[Tool, ...]:
    listed, legacy = body.get("tools") or [], body.get("functions") or []
    if type(listed) is not list or type(legacy) is not list:
        raise InvalidRequest("tools must be a list.", param="tools")
    listed = listed or [{"type": "function", "function": function} for function in legacy]
    return tuple(_tool(tool, f"tools[{number}]") for number, tool in enumerate(listed))


def _tool(tool: Any, place: str) -> Tool:
    kind = tool.get("type") if type(tool) is dict else None
    described = tool.get(kind) if isinstance(kind, str) else None
    if kind not in ("function", "custom") or type(described) is not dict:
        raise InvalidRequest(f"{place} must be a function or a custom tool.", param=place)
    name, schema = described.get("name"), described.get("parameters")
    if type(name) is not str or not name:
        raise InvalidRequest(f"{place} must have a name.", param=place)
    if schema is not None and type(schema) is not dict:
        raise InvalidRequest(f"{place}: parameters must be a JSON Schema.", param=place)
    text, strict, form = (described.get(field) for field in ("description", "strict", "format"))
    grammar = form.get("grammar") if isinstance(form, dict) else None
    return Tool(
        name=name,
        description=text if isinstance(text, str) else "",
        schema=schema or {},
        strict=strict if isinstance(strict, bool) else None,
        kind="custom" if kind == "custom" else "function",
        grammar={"type": "grammar", **grammar} if isinstance(grammar, dict) else None,
        cache=cache_mark(tool),
    )


def tool_choice(body: Json) -> ToolChoice | None:
    choice, parallel = body.get("tool_choice"), body.get("parallel_tool_calls")
    if choice is None and isinstance(body.get("function_call"), str | dict):
        choice = _legacy_choice(body["function_call"])
    parallel = parallel if isinstance(parallel, bool) else None
    if choice is None:
        return None if parallel is None else ToolChoice(parallel=parallel)
    if isinstance(choice, str) and choice in _MODES:
        return ToolChoice(mode=_MODES[choice], parallel=parallel)  # type: ignore[arg-type]
    if isinstance(choice, dict):
        return _object_choice(choice, parallel)
    raise InvalidRequest("tool_choice must be none, auto, required or a tool.", param="tool_choice")


_MODES = {"none": "none", "auto": "auto", "required": "required", "any": "required"}


def _legacy_choice(choice: str | Json) -> str | Json:
    return choice if isinstance(choice, str) else {"type": "function", "function": choice}


def _object_choice(choice: Json, parallel: bool | None) -> ToolChoice:
    kind = choice.get("type")
    described = choice.get(kind) if isinstance(kind, str) else None
    if not isinstance(described, dict):
        raise InvalidRequest("tool_choice must name a tool.", param="tool_choice")
    if kind == "allowed_tools":
        listed = described.get("tools")
        named = [_name_in(tool) for tool in listed] if isinstance(listed, list) else []
        mode = "required" if described.get("mode") == "required" else "auto"
        return ToolChoice(
            mode="required" if mode == "required" else "auto",
            only=tuple(name for name in named if name),
            parallel=parallel,
        )
    return ToolChoice(mode="named", name=str(described.get("name") or ""), parallel=parallel)


def _name_in(tool: Any) -> str:
    kind = tool.get("type") if isinstance(tool, dict) else None
    described = tool.get(kind) if isinstance(kind, str) else None
    name = described.get("name") if isinstance(described, dict) else None
    return name if isinstance(name, str) else ""


def format_of(body: Json) -> Format | None:
    wanted = body.get("response_format")
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind == "json_object":
        return Format(kind="json")
    if not isinstance(wanted, dict) or kind != "json_schema":
        return None
    described = wanted.get("json_schema")
    schema = described.get("schema") if isinstance(described, dict) else None
    if not isinstance(described, dict) or (schema is not None and not isinstance(schema, dict)):
        raise InvalidRequest(
            "response_format.json_schema must have a schema.", param="response_format"
        )
    strict, text = described.get("strict"), described.get("description")
    return Format(
        kind="json_schema",
        name=str(described.get("name") or "output"),
        schema=schema or {},
        strict=strict if isinstance(strict, bool) else None,
        description=text if isinstance(text, str) else "",
    )


def reasoning(body: Json) -> Reasoning | None:
    """`reasoning_effort`, OpenRouter's `reasoning`, or Anthropic's `thinking`."""
    effort, wished, thinking = (
        body.get(name) for name in ("reasoning_effort", "reasoning", "thinking")
    )
    if isinstance(effort, str):
        return Reasoning(effort=effort, is_off=effort == "none")
    if isinstance(wished, dict):
        effort, budget = wished.get("effort"), wished.get("max_tokens")
        return Reasoning(
            effort=effort if isinstance(effort, str) else "",
            budget=budget if type(budget) is int else None,
            is_off=wished.get("enabled") is False or effort == "none",
            shown=wished.get("exclude") is not True,
        )
    if isinstance(thinking, dict):
        budget = thinking.get("budget_tokens")
        return Reasoning(
            budget=budget if type(budget) is int else None,
            is_off=thinking.get("type") == "disabled",
        )
    return None


def stop(body: Json) -> tuple[str, ...]:
    wanted = body.get("stop")
    if wanted is None:
        return ()
    listed = [wanted] if isinstance(wanted, str) else wanted
    if type(listed) is not list or not all(isinstance(text, str) for text in listed):
        raise InvalidRequest("stop must be a text or a list of texts.", param="stop")
    return tuple(text for text in listed if text)


def number(body: Json, name: str) -> float | None:
    value: float | None = _plain(body, name, lambda value: type(value) in {int, float}, "a number")
    return value


def whole(body: Json, name: str) -> int | None:
    value: int | None = _plain(body, name, lambda value: type(value) is int, "a whole number")
    return value


def _plain(body: Json, name: str, fits: Callable[[Any], bool], words: str) -> Any:
    value = body.get(name)
    if value is not None and not fits(value):
        raise InvalidRequest(f"{name} must be {words}.", param=name)
    return value


def _user(body: Json) -> str:
    named = body.get("safety_identifier") or body.get("user")
    return named if isinstance(named, str) else ""
