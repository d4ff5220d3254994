"""Conversations and what Anthropic is sent for them, as tests ask for it."""

import json
from typing import Any

from routing.conversation import Conversation, Text, Tool, ToolCall, ToolResult, Turn
from routing.providers import loader
from routing.wire.anthropic import request

PROVIDER = loader.load_all()["anthropic"]
OFFERS = {model.id: model for model in PROVIDER.models}
NEW, OLD, NO_FORCE, NO_FORMAT = (
    "claude-sonnet-5", "claude-haiku-4-5", "claude-opus-5-5", "claude-sonnet-4-0",
)  # fmt: skip
PNG = "iVBORw0KGgo="
WEATHER = Tool(
    name="get_weather",
    description="d",
    schema={"type": "object", "properties": {"city": {"type": "string"}}},
)
HI = Turn("user", (Text("hi"),))
SCHEMA = {
    "type": "object",
    "properties": {
        "age": {"type": "integer", "minimum": 0, "description": "Years."},
        "tags": {"type": "array", "items": {"oneOf": [{"type": "string"}]}, "maxItems": 3},
    },
    "required": ["age"],
}


def written(conversation: Conversation, model: str = NEW) -> tuple[Any, tuple[str, ...]]:
    offer = OFFERS.get(model)
    found = request.write_conversation(
        conversation, model=model, offer=offer, quirks=PROVIDER.quirks_of(offer), stream=False
    )
    return json.loads(found.body), found.adapted


def talk(*turns: Turn, model: str = NEW, **fields: Any) -> tuple[Any, tuple[str, ...]]:
    return written(Conversation(turns=turns or (HI,), **fields), model)


def called(*ids: str, name: str = "get_weather") -> Turn:
    return Turn("assistant", tuple(ToolCall(id=i, name=name, arguments="{}") for i in ids))


def answered(*ids: str, **fields: Any) -> Turn:
    return Turn("user", tuple(ToolResult(id=i, content=(Text("4 C"),), **fields) for i in ids))


def kinds(message: dict[str, Any]) -> list[str]:
    return [block["type"] for block in message["content"]]
