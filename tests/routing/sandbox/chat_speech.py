"""OpenAI's Chat Completions as a client speaks it: bodies to send, answers to read."""

import json
from typing import Any

from tests.routing.sandbox import sse_reader
from tests.routing.sandbox.speaking import WEATHER, Json, Reply


def chat_body(
    text: str = "Say hello.",
    *,
    model: str,
    stream: bool = False,
    limit: int | None = None,
    stop: str | None = None,
    tool: bool = False,
    force: bool = False,
    schema: Json | None = None,
    **more: Any,
) -> Json:
    body: Json = {"model": model, "messages": [{"role": "user", "content": text}], **more}
    if stream:
        body["stream"] = True
    if limit is not None:
        body["max_completion_tokens"] = limit
    if stop is not None:
        body["stop"] = [stop]
    if tool:
        described = {"name": "get_weather", "description": "d", "parameters": WEATHER}
        body["tools"] = [{"type": "function", "function": described}]
    if force:
        body["tool_choice"] = "required"
    if schema is not None:
        named = {"name": "answer", "schema": schema}
        body["response_format"] = {"type": "json_schema", "json_schema": named}
    return body


def mistral_body(text: str = "Say hello.", **options: Any) -> Json:
    body = chat_body(text, **options)
    if "max_completion_tokens" in body:
        body["max_tokens"] = body.pop("max_completion_tokens")
    return body


def chat_read(content: Json) -> Reply:
    choice = content["choices"][0]
    message = choice["message"]
    text, thoughts = _chat_text(message.get("content"))
    return Reply(
        text=text,
        thoughts=thoughts or message.get("reasoning") or message.get("reasoning_content") or "",
        calls=[
            (call["id"], call["function"]["name"], call["function"]["arguments"])
            for call in message.get("tool_calls") or []
        ],
        finish=choice["finish_reason"],
        usage=content["usage"],
        model=content["model"],
    )


def _chat_text(content: Any) -> tuple[str, str]:
    if not isinstance(content, list):
        return content or "", ""
    thoughts = [p["thinking"][0]["text"] for p in content if p["type"] == "thinking"]
    return "".join(p["text"] for p in content if p["type"] == "text"), "".join(thoughts)


def chat_read_stream(raw: bytes) -> Reply:
    reply = Reply(terminated=False)
    calls: dict[int, list[str]] = {}
    for event in sse_reader.read(raw):
        if event.data == "[DONE]":
            reply.terminated = True
            continue
        chunk = json.loads(event.data)
        assert chunk["object"] == "chat.completion.chunk"
        reply.usage = chunk.get("usage") or reply.usage
        reply.model = chunk["model"]
        for choice in chunk["choices"]:
            if choice["index"] == 0:
                _chat_delta(reply, choice, calls)
    reply.calls = [(i, n, a) for i, n, a in calls.values()]
    return reply


def _chat_delta(reply: Reply, choice: Json, calls: dict[int, list[str]]) -> None:
    delta = choice["delta"]
    text, thoughts = _chat_text(delta.get("content"))
    reply.text += text
    reply.thoughts += thoughts or delta.get("reasoning") or delta.get("reasoning_content") or ""
    reply.finish = choice.get("finish_reason") or reply.finish
    for call in delta.get("tool_calls") or []:
        known = calls.setdefault(call["index"], ["", "", ""])
        known[0] += call.get("id") or ""
        known[1] += call["function"].get("name") or ""
        known[2] += call["function"].get("arguments") or ""
