"""A call as it went over the caller's wire, read into a line that models are fine-tuned on. Pure.

Runs beside the loop of calls: it parses what was sent and answered once more.
"""

from typing import Any

import msgspec

from accounts.errors import InvalidRequest
from routing import dialects
from routing.cache.recording import Recorder
from routing.chat import Body, ChatRequest
from routing.conversation import Answer, Conversation, Finish, Refusal, Text, ToolCall
from routing.providers.spec import Quirks
from routing.wire.failed import NotAnAnswer, StreamFailed
from routing.wire.openai import fine_tuning
from routing.wire.sse import EventTooLong

LARGEST = 1024 * 1024  # bytes of a line

_PLAIN = Quirks()
_INCOMPLETE: dict[object, Finish] = {
    "max_output_tokens": "length", "content_filter": "content_filter",
}  # fmt: skip
_CALLS = frozenset({"function_call", "custom_tool_call"})


class NotAnExample(ValueError):
    """The call cannot be told in the form of an example, and why."""


class Example(msgspec.Struct, frozen=True, gc=False):
    line: bytes  # of JSON
    finish: Finish


def of_call(chat: ChatRequest, answer: bytes) -> Example:
    """The conversation with its answer, both in the caller's dialect. Raises NotAnExample."""
    if chat.body.get("n") not in (None, 1):
        raise NotAnExample("several answers were asked for")
    try:
        example = _responses(chat, answer) if chat.dialect == "responses" else _said(chat, answer)
    except (NotAnAnswer, StreamFailed, EventTooLong, msgspec.MsgspecError, KeyError) as problem:
        raise NotAnExample(f"the answer cannot be read: {type(problem).__name__}") from None
    except InvalidRequest:
        raise NotAnExample("something in the request has no counterpart") from None
    if len(example.line) > LARGEST:
        raise NotAnExample("it is too long")
    return example


def _said(chat: ChatRequest, raw: bytes) -> Example:
    side = dialects.PROVIDERS[chat.dialect]
    answer = _recorded(chat.dialect, raw) if chat.stream else side.read(raw, _PLAIN)
    blocks = tuple(b for b in answer.blocks if isinstance(b, Text | ToolCall | Refusal))
    if not blocks or any(isinstance(b, ToolCall) and not b.name for b in blocks):
        raise NotAnAnswer("nothing was said")
    conversation = dialects.CALLERS[chat.dialect].converse(chat)
    return Example(fine_tuning.write(conversation, blocks), answer.finish)


def _recorded(dialect: str, raw: bytes) -> Answer:
    reader, recorder = dialects.PROVIDERS[dialect].reader(_PLAIN), Recorder()
    for piece in (*reader.feed(raw), *reader.end()):
        recorder.see(piece)
    answer = recorder.answer(model="", usage=None)
    if answer is None:
        raise NotAnAnswer("the stream has no end")
    return answer


def _responses(chat: ChatRequest, raw: bytes) -> Example:
    """The items of an answer can be sent back as input: so they are read as the last turn."""
    response = _completed(raw) if chat.stream else msgspec.json.decode(raw)
    output = response["output"]
    before: Any = chat.body["input"]
    if isinstance(before, str):
        before = [{"role": "user", "content": before}]
    body: Body = {**chat.body, "input": [*before, *output]}
    conversation: Conversation = dialects.CALLERS["responses"].converse(
        msgspec.structs.replace(chat, body=body)
    )
    if not any(item.get("type") in {"message", *_CALLS} for item in output):
        raise NotAnAnswer("nothing was said")
    return Example(fine_tuning.write(conversation, ()), _finish(response))


def _completed(raw: bytes) -> Any:
    """The whole answer, which a stream repeats in its last event."""
    for line in reversed(raw.split(b"\n")):
        if line.startswith(b'data: {"type":"response.'):
            event = msgspec.json.decode(line[6:])
            if event["type"] in {"response.completed", "response.incomplete"}:
                return event["response"]
    raise NotAnAnswer("the stream has no end")


def _finish(response: Any) -> Finish:
    details = response.get("incomplete_details") or {}
    if cut := _INCOMPLETE.get(details.get("reason")):
        return cut
    has_calls = any(item.get("type") in _CALLS for item in response["output"])
    return "tool_calls" if has_calls else "stop"
