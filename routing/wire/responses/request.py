"""OpenAI Responses requests of callers. Nothing is stored: a request holds its whole history.

No provider is spoken to in this dialect: every one is reached through the neutral middle.
"""

from collections.abc import Iterable

from accounts.errors import InvalidRequest
from routing import tokens
from routing.chat import Body, ChatRequest
from routing.conversation import Conversation, Format, Json, Reasoning
from routing.wire import bodies
from routing.wire.responses import fields, thoughts
from routing.wire.responses.tools import Toolbox, choice
from routing.wire.responses.turns import History

DIALECT = "responses"

# Parameters that speak of what the provider has stored.
_STORED = ("previous_response_id", "conversation", "prompt")
# OpenAI's chat knows these by the same name.
_OTHERS = (
    "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "safety_identifier",
    "service_tier",
)  # fmt: skip
# Read here, by the gateway itself, or (metadata) repeated in the answer, which is all it is for.
_READ = frozenset({
    *_OTHERS, "model", "input", "instructions", "stream", "max_output_tokens", "temperature",
    "top_p", "tools", "tool_choice", "parallel_tool_calls", "text", "reasoning", "include", "user",
    "metadata", "models", "provider", "session_id", "fallbacks", "preset",
})  # fmt: skip
# Values that ask for what happens anyway.
_USUAL: dict[str, tuple[object, ...]] = {
    "store": (False,),
    "background": (False,),
    "truncation": ("disabled",),
    "top_logprobs": (0,),
    "stream_options": ({}, {"include_obfuscation": False}),
    "context_management": ([],),
}
_PART_NEEDS = {"input_image": "image", "input_file": "pdf", "input_audio": "audio"}
_CALLABLE = frozenset({"function", "custom", "namespace"})
_NO_NEEDS: frozenset[str] = frozenset()


def read(raw: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> ChatRequest:
    """A caller's request. Raises InvalidRequest naming the field.

    Of the headers none is for a provider of another dialect.
    """
    del headers
    body = bodies.read(raw)
    model = body.get("model")
    if type(model) is not str or not model:
        raise InvalidRequest("model must be the name of a model.", param="model")
    spoken = body.get("input")
    if type(spoken) is not str and (type(spoken) is not list or not spoken):
        raise fields.refused("input", "be a text or a list of at least one item")
    _refuse_stored(body)
    fields.typed(body, "metadata", dict)
    maximum = fields.typed(body, "max_output_tokens", int)
    if maximum is not None and maximum < 1:
        raise fields.refused("max_output_tokens", "be a whole number from 1 up")
    return ChatRequest(
        dialect=DIALECT,
        body=body,
        model=model,
        stream=fields.typed(body, "stream", bool) or False,
        wants_usage=True,
        max_tokens=maximum,
        needs=_needs(body, raw),
        input_tokens=tokens.of_body(raw),
        size=len(raw),
    )


def converse(chat: ChatRequest) -> Conversation:
    """A caller's body in the neutral middle. Raises InvalidRequest naming the field."""
    body = chat.body
    box = Toolbox(body)
    history = History(body, box)
    tool_choice = choice(body, box)
    told = box.left_out | ({"input"} if history.left_out else set())
    text = fields.typed(body, "text", dict) or {}
    others = {name: body[name] for name in _OTHERS if body.get(name) is not None}
    verbosity = fields.text(text, "verbosity", "text")
    if verbosity:
        others["verbosity"] = verbosity
    return Conversation(
        turns=history.turns,
        system=tuple(history.system),
        tools=box.tools,
        tool_choice=tool_choice,
        format=_format(text, told),
        reasoning=_reasoning(body, told),
        max_tokens=chat.max_tokens,
        temperature=fields.number(body, "temperature"),
        top_p=fields.number(body, "top_p"),
        user=fields.text(body, "user"),
        others=others,
        untranslatable=_untranslatable(body, told),
    )


def _refuse_stored(body: Body) -> None:
    for name in _STORED:
        if body.get(name) is not None:
            raise InvalidRequest(
                f"{name} refers to what is stored, and this gateway stores nothing. "
                "Send the full history in input.",
                param=name,
            )
    if fields.typed(body, "background", bool):
        raise InvalidRequest(
            "background is not possible: this gateway stores nothing that could be fetched later. "
            "Leave it out, and read the answer from this call.",
            param="background",
        )


def _format(text: Json, told: set[str]) -> Format | None:
    wanted = fields.typed(text, "format", dict, "text")
    kind = wanted.get("type") if wanted else "text"
    if kind == "json_object":
        return Format(kind="json")
    if wanted is None or kind != "json_schema":
        if kind != "text":
            told.add("text")
        return None
    place = "text.format"
    schema = fields.typed(wanted, "schema", dict, place)
    if schema is None:
        raise fields.refused(f"{place}.schema", "be a JSON Schema")
    return Format(
        kind="json_schema",
        name=fields.text(wanted, "name", place) or "output",
        schema=schema,
        strict=fields.typed(wanted, "strict", bool, place),
        description=fields.text(wanted, "description", place),
    )


def _reasoning(body: Body, told: set[str]) -> Reasoning | None:
    wanted = fields.typed(body, "reasoning", dict)
    if wanted is None:
        return None
    if wanted.get("mode") not in (None, "standard"):
        told.add("reasoning")
    effort = fields.text(wanted, "effort", "reasoning")
    shown = wanted.get("summary") or wanted.get("generate_summary")
    return Reasoning(effort=effort, is_off=effort == "none", shown=bool(shown))


def _untranslatable(body: Body, told: set[str]) -> tuple[str, ...]:
    """Top-level parameters that are dropped, or of which a part is."""
    included = fields.typed(body, "include", list)
    if included and any(item != thoughts.ENCRYPTED for item in included):
        told.add("include")
    for name, value in body.items():
        if name not in _READ and value is not None and value not in _USUAL.get(name, ()):
            told.add(name)
    return tuple(sorted(told))


def _needs(body: Body, raw: bytes) -> frozenset[str]:
    needs = set()
    tools = fields.typed(body, "tools", list)
    if (tools and any(_is_callable(tool) for tool in tools)) or b'"additional_tools"' in raw:
        needs.add("tools")
    text = fields.typed(body, "text", dict)
    wanted = text.get("format") if text else None
    if isinstance(wanted, dict) and wanted.get("type") == "json_schema":
        needs.add("json_schema")
    if bodies.ESCAPE in raw or any(f'"{kind}"'.encode() in raw for kind in _PART_NEEDS):
        needs |= _needs_of_parts(body["input"])
    return frozenset(needs) if needs else _NO_NEEDS


def _is_callable(tool: object) -> bool:
    kind = tool.get("type") if isinstance(tool, dict) else None
    return isinstance(kind, str) and kind in _CALLABLE


def _needs_of_parts(spoken: object) -> set[str]:
    items = [item for item in spoken if isinstance(item, dict)] if isinstance(spoken, list) else []
    contents = [item.get(name) for item in items for name in ("content", "output")]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    kinds = [part.get("type") for part in parts if isinstance(part, dict)]
    return {need for kind, need in _PART_NEEDS.items() if kind in kinds}
