"""Conversations in the form that chat models are fine-tuned on: a JSON object per conversation.

`messages` end with the assistant's reply; `tools` and `parallel_tool_calls` stand where there are
tools (https://platform.openai.com/docs/guides/supervised-fine-tuning, read 2026-11-20). Thoughts
and caching marks have no place in it.
"""

from typing import Any

import msgspec

from routing.conversation import Block, Conversation, Json, Turn
from routing.providers.spec import Quirks
from routing.wire.openai import messages
from routing.wire.openai.translated_request import written_tool

PLAIN = Quirks()

_encode = msgspec.json.Encoder().encode


def write(conversation: Conversation, reply: tuple[Block, ...]) -> bytes:
    """One line, without its end. An empty reply is the conversation's own last turn."""
    turns = (*conversation.turns, Turn("assistant", reply)) if reply else conversation.turns
    whole = msgspec.structs.replace(conversation, turns=turns)
    example: Json = {"messages": [_plain(one) for one in messages.write(whole, PLAIN)]}
    if conversation.tools:
        example["tools"] = [written_tool(tool) for tool in conversation.tools]
        choice = conversation.tool_choice
        if choice and choice.parallel is not None:
            example["parallel_tool_calls"] = choice.parallel
    return _encode(example)


def _plain(message: Json) -> Json:
    """Texts that stand side by side as one; no content where there is none."""
    content: Any = message["content"]
    if content is None:
        return {name: value for name, value in message.items() if name != "content"}
    if isinstance(content, list) and all(part["type"] == "text" for part in content):
        between = "" if message["role"] == "assistant" else "\n\n"
        return {**message, "content": between.join(part["text"] for part in content)}
    return message
