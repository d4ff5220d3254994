"""What Anthropic refuses in a request."""

import re
from collections.abc import Iterator
from typing import Any

from routing.sandbox.dialects import shapes
from routing.sandbox.dialects.messages import signatures, turns
from routing.sandbox.dialects.messages.families import Family, family_of
from routing.sandbox.dialects.messages.turns import STRICT_VERSION
from routing.sandbox.names import listed
from routing.sandbox.problems import Cause, Problem, Refused
from routing.sandbox.profile import Exchange, Json

MOST_MARKS = 4

_FIELDS = listed(
    "cache_control container inference_geo max_tokens messages metadata model "
    "output_config service_tier speed stop_sequences stream system temperature thinking "
    "tool_choice tools top_k top_p diagnostics user_profile_id workspace_id"
)
# Only with some `anthropic-beta`; which one is not checked.
_BETA_FIELDS = _FIELDS | listed(
    "compaction context_management mcp_servers output_format fallbacks "
    "fallback_credit_token safeguards thread"
)
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_SAMPLING = ("temperature", "top_p", "top_k")


def invalid(message: str, **more: Any) -> Refused:
    """The exception for a 400 with Anthropic's words."""
    return Refused(Problem(status=400, message=message, type="invalid_request_error", more=more))


def check(exchange: Exchange, body: Json, *, counts_only: bool = False) -> None:
    """Refuse what the API would refuse. Raises Refused."""
    needed = ("model", "messages") if counts_only else ("model", "max_tokens", "messages")
    shapes.require(exchange, body, *needed)
    is_beta = bool(exchange.headers.get("anthropic-beta"))
    shapes.only(exchange, body, _BETA_FIELDS if is_beta else _FIELDS)
    _check_types(exchange, body)
    family = family_of(body["model"])
    _check_limits(body, family)
    _check_sampling(exchange, body, family)
    _check_thinking(body, family)
    _check_tools(body, family)
    turns.check(exchange, body["messages"], family)
    signatures.check(body["messages"])


def _check_types(exchange: Exchange, body: Json) -> None:
    allowed = {
        "model": shapes.TEXT,
        "messages": shapes.LIST,
        "max_tokens": shapes.whole(0),
        "system": shapes.TEXT_OR_LIST,
        "stream": shapes.FLAG,
        "temperature": shapes.number(0, 1),
        "top_p": shapes.number(0, 1),
        "top_k": shapes.whole(0),
        "stop_sequences": shapes.TEXTS,
        "tools": shapes.LIST,
        "tool_choice": shapes.OBJECT,
        "thinking": shapes.OBJECT,
        "output_config": shapes.OBJECT,
        "metadata": shapes.OBJECT,
        "service_tier": shapes.one_of("auto", "standard_only"),
    }
    shapes.check(exchange, body, allowed)


def _check_limits(body: Json, family: Family) -> None:
    model, asked = body["model"], body.get("max_tokens") or 0
    if asked > family.max_output:
        raise invalid(
            f"max_tokens: {asked} > {family.max_output}, which is the maximum allowed number of"
            f" output tokens for {model}"
        )
    for index, stop in enumerate(body.get("stop_sequences") or ()):
        if not stop.strip():
            raise invalid(f"stop_sequences.{index}: each stop sequence must contain non-whitespace")
    if isinstance(body.get("thread"), dict):
        raise invalid(
            "thread: this server keeps no threads",
            details={"error_code": "thread_unsupported_request", "unsupported": ["thread"]},
        )
    marks = sum(1 for _ in _marks(body))
    if marks > MOST_MARKS:
        raise invalid(
            f"A maximum of {MOST_MARKS} blocks with cache_control may be provided. Found {marks}."
        )


def _marks(value: Any) -> Iterator[Any]:
    """Every block that is marked for the cache."""
    if isinstance(value, dict):
        if isinstance(value.get("cache_control"), dict):
            yield value
        for key, inner in value.items():
            if key not in {"input", "input_schema"}:
                yield from _marks(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _marks(inner)


def _check_sampling(exchange: Exchange, body: Json, family: Family) -> None:
    sent = [name for name in _SAMPLING if body.get(name) is not None]
    if sent and exchange.headers.get("anthropic-version", "") >= STRICT_VERSION:
        raise exchange.refuse(Cause.UNKNOWN, sent[0])
    unusual = [name for name in sent if body[name] != 1]
    if unusual and not family.samples:
        raise invalid(f"`{unusual[0]}` is deprecated for this model.")
    if not family.samples_both and {"temperature", "top_p"} <= set(sent):
        raise invalid(
            "`temperature` and `top_p` cannot both be specified for this model. Please use only"
            " one."
        )


def _check_thinking(body: Json, family: Family) -> None:
    thinking = body.get("thinking")
    if thinking is None:
        return
    kind = thinking.get("type")
    if kind not in {"enabled", "adaptive", "disabled", "between_tools"}:
        raise invalid(
            "thinking: Input tag must be one of 'enabled', 'adaptive', 'disabled', 'between_tools'"
        )
    if kind not in family.thinking:
        raise invalid(
            f'"thinking.type.{kind}" is not supported for this model. Use "thinking.type.adaptive"'
            ' and "output_config.effort" to control thinking behavior.'
        )
    if kind == "enabled":
        _check_budget(body, thinking)
        turns.check_thinking_first(body["messages"])
    if kind != "disabled":
        _check_beside_thinking(body)


def _check_budget(body: Json, thinking: Json) -> None:
    budget = thinking.get("budget_tokens")
    if not isinstance(budget, int):
        raise invalid("thinking.enabled.budget_tokens: Field required")
    if budget < 1024:
        raise invalid(
            "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
        )
    if "max_tokens" in body and budget >= body["max_tokens"]:
        raise invalid("`max_tokens` must be greater than `thinking.budget_tokens`.")


def _check_beside_thinking(body: Json) -> None:
    if body.get("temperature") not in {None, 1}:
        raise invalid("`temperature` may only be set to 1 when thinking is enabled.")
    if body.get("top_k") is not None:
        raise invalid("`top_k` must be unset when thinking is enabled.")
    if (body.get("tool_choice") or {}).get("type") in {"any", "tool"}:
        raise invalid("Thinking may not be enabled when tool_choice forces tool use.")


def _check_tools(body: Json, family: Family) -> None:
    names: set[str] = set()
    for index, tool in enumerate(body.get("tools") or ()):
        if not isinstance(tool, dict):
            raise invalid(f"tools.{index}: Input should be a valid dictionary")
        if tool.get("type", "custom") == "custom":
            _check_custom_tool(tool, index)
        name = str(tool.get("name"))
        if name in names:
            raise invalid("tools: Tool names must be unique.")
        names.add(name)
    choice = body.get("tool_choice") or {}
    if choice.get("type") in {"any", "tool"}:
        if not family.forces_tools:
            raise invalid("tool_choice: forced tool use is not supported for this model.")
        if choice.get("type") == "tool" and choice.get("name") not in names:
            raise invalid(f"Tool '{choice.get('name')}' not found in provided tools")


def _check_custom_tool(tool: Json, index: int) -> None:
    name, schema = tool.get("name"), tool.get("input_schema")
    if not isinstance(name, str) or not _TOOL_NAME.fullmatch(name):
        raise invalid(
            f"tools.{index}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
        )
    if not isinstance(schema, dict):
        raise invalid(f"tools.{index}.custom.input_schema: Field required")
    if schema.get("type") != "object":
        raise invalid(f"tools.{index}.custom.input_schema.type: Input should be 'object'")
