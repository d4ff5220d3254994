"""How a client speaks to each provider: the same questions in every dialect, the answers read."""

import json
from typing import Any

from tests.routing.sandbox import chat_speech, sse_reader
from tests.routing.sandbox.speaking import BEARER, KEY, WEATHER, Json, Reply, Speaker


def _chat(name: str, slug: str, base: str, model: str, thinker: str, **more: Any) -> Speaker:
    body = more.pop("body", chat_speech.chat_body)
    return Speaker(
        name=name,
        slug=slug,
        path=f"{base}/chat/completions",
        list_path=f"{base}/models",
        model=model,
        thinker=thinker,
        headers=BEARER,
        body=body,
        read=chat_speech.chat_read,
        read_stream=chat_speech.chat_read_stream,
        ends={"stop": "stop", "length": "length", "tools": "tool_calls"},
        **more,
    )


# Anthropic's Messages --------------------------------------------------------------------------


def messages_body(
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
    body: Json = {
        "model": model,
        "max_tokens": 4096 if limit is None else limit,
        "messages": [{"role": "user", "content": text}],
        **more,
    }
    if stream:
        body["stream"] = True
    if stop is not None:
        body["stop_sequences"] = [stop]
    if tool:
        body["tools"] = [{"name": "get_weather", "input_schema": WEATHER}]
    if force:
        body["tool_choice"] = {"type": "any"}
    if schema is not None:
        body["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
    if model == "claude-opus-4-8":
        body.setdefault("thinking", {"type": "adaptive"})
    return body


def messages_read(content: Json) -> Reply:
    blocks = content["content"]
    return Reply(
        text="".join(b["text"] for b in blocks if b["type"] == "text"),
        thoughts="".join(b["thinking"] for b in blocks if b["type"] == "thinking"),
        calls=[
            (b["id"], b["name"], json.dumps(b["input"])) for b in blocks if b["type"] == "tool_use"
        ],
        finish=content["stop_reason"],
        usage=content["usage"],
        model=content["model"],
    )


def messages_read_stream(raw: bytes) -> Reply:
    reply = Reply(terminated=False)
    blocks: dict[int, tuple[Json, list[str]]] = {}
    for event in sse_reader.read(raw):
        data = json.loads(event.data)
        assert event.name == data["type"]
        if event.name == "message_start":
            reply.usage, reply.model = data["message"]["usage"], data["message"]["model"]
        elif event.name == "content_block_start":
            blocks[data["index"]] = (data["content_block"], [])
        elif event.name == "content_block_delta":
            delta = data["delta"]
            value = delta.get("text") or delta.get("thinking") or delta.get("partial_json") or ""
            blocks[data["index"]][1].append(value)
        elif event.name == "message_delta":
            reply.finish = data["delta"]["stop_reason"]
            reply.usage = {**(reply.usage or {}), **data["usage"]}
        elif event.name == "message_stop":
            reply.terminated = True
    for block, parts in blocks.values():
        _messages_block(reply, block, "".join(parts))
    return reply


def _messages_block(reply: Reply, block: Json, written: str) -> None:
    if block["type"] == "text":
        reply.text += written
    elif block["type"] == "thinking":
        reply.thoughts += written
    else:
        reply.calls.append((block["id"], block["name"], written or "{}"))


# Gemini's generateContent ----------------------------------------------------------------------


def generate_body(
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
    config: Json = {"thinkingConfig": {"includeThoughts": True}}
    if limit is not None:
        config["maxOutputTokens"] = limit
    if stop is not None:
        config["stopSequences"] = [stop]
    if schema is not None:
        config |= {"responseMimeType": "application/json", "responseJsonSchema": schema}
    body: Json = {
        "contents": [{"role": "user", "parts": [{"text": text}]}],
        "generationConfig": config,
        **more,
    }
    if tool:
        declared = {"name": "get_weather", "parametersJsonSchema": WEATHER}
        body["tools"] = [{"functionDeclarations": [declared]}]
    if force:
        body["toolConfig"] = {"functionCallingConfig": {"mode": "ANY"}}
    assert model, stream or True
    return body


def generate_read(content: Json) -> Reply:
    reply = Reply(usage=content["usageMetadata"], model=content["modelVersion"])
    _generate_parts(reply, content["candidates"][0])
    return reply


def generate_read_stream(raw: bytes) -> Reply:
    reply = Reply(terminated=False)
    for event in sse_reader.read(raw):
        content = json.loads(event.data)
        reply.usage, reply.model = content["usageMetadata"], content["modelVersion"]
        _generate_parts(reply, content["candidates"][0])
    reply.terminated = bool(reply.finish)
    return reply


def _generate_parts(reply: Reply, candidate: Json) -> None:
    for part in candidate["content"].get("parts", []):
        if part.get("thought"):
            reply.thoughts += part["text"]
        elif "functionCall" in part:
            call = part["functionCall"]
            reply.calls.append((call["id"], call["name"], json.dumps(call["args"])))
        else:
            reply.text += part["text"]
    reply.finish = candidate.get("finishReason") or reply.finish


# OpenAI's Responses ----------------------------------------------------------------------------


def responses_body(
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
    body: Json = {"model": model, "input": text, **more}
    if model.startswith("gpt-5"):
        body["reasoning"] = {"summary": "auto"}
    if stream:
        body["stream"] = True
    if limit is not None:
        body["max_output_tokens"] = max(16, limit)
    if tool:
        body["tools"] = [{"type": "function", "name": "get_weather", "parameters": WEATHER}]
    if force:
        body["tool_choice"] = "required"
    if schema is not None:
        body["text"] = {"format": {"type": "json_schema", "name": "answer", "schema": schema}}
    assert stop is None
    return body


def responses_read(content: Json) -> Reply:
    items = content["output"]
    is_cut = content["status"] == "incomplete"
    reply = Reply(usage=content["usage"], model=content["model"])
    for item in items:
        if item["type"] == "message":
            reply.text += "".join(part["text"] for part in item["content"])
        elif item["type"] == "reasoning":
            reply.thoughts += "".join(part["text"] for part in item["summary"])
        else:
            reply.calls.append((item["call_id"], item["name"], item["arguments"]))
    reply.finish = "incomplete" if is_cut else "tools" if reply.calls else "completed"
    return reply


def responses_read_stream(raw: bytes) -> Reply:
    final, text, number = None, "", -1
    for event in sse_reader.read(raw):
        data = json.loads(event.data)
        assert event.name == data["type"]
        assert data["sequence_number"] == number + 1
        number += 1
        if event.name == "response.output_text.delta":
            text += data["delta"]
        if event.name in {"response.completed", "response.incomplete"}:
            final = data["response"]
    if final is None:
        return Reply(text=text, terminated=False)
    reply = responses_read(final)
    assert reply.text == text
    return reply


_END = {"stop": "completed", "length": "incomplete", "tools": "tools"}

CHAT = (
    _chat("cerebras", "cerebras", "/v1", "llama-3.3-70b", "gpt-oss-120b"),
    _chat("openai", "openai", "/v1", "gpt-4o-mini", "gpt-5-mini"),
    _chat("groq", "groq", "/openai/v1", "llama-3.3-70b-versatile", "openai/gpt-oss-120b"),
    _chat("gemini compat", "gemini", "/v1beta/openai", "gemini-2.0-flash", "gemini-2.5-flash"),
    _chat(
        "deepinfra",
        "deepinfra",
        "/v1/openai",
        "meta-llama/Llama-3.3-70B-Instruct",
        "deepseek-ai/DeepSeek-R1",
        body=chat_speech.mistral_body,
    ),
    _chat(
        "mistral",
        "mistral",
        "/v1",
        "mistral-small-latest",
        "magistral-medium-latest",
        body=chat_speech.mistral_body,
    ),
    _chat("xai", "xai", "/v1", "grok-4-fast-non-reasoning", "grok-4.3"),
    _chat("openrouter", "openrouter", "/api/v1", "google/gemma-3-12b-it", "deepseek/deepseek-r1"),
    _chat("nvidia", "nvidia", "/v1", "meta/llama-3.3-70b-instruct", "openai/gpt-oss-120b"),
)
MESSAGES = Speaker(
    name="anthropic",
    slug="anthropic",
    path="/v1/messages",
    list_path="/v1/models",
    model="claude-sonnet-5",
    thinker="claude-opus-4-8",
    headers={"x-api-key": KEY, "anthropic-version": "2023-06-01"},
    body=messages_body,
    read=messages_read,
    read_stream=messages_read_stream,
    ends={"stop": "end_turn", "length": "max_tokens", "tools": "tool_use"},
)
GENERATE = Speaker(
    name="gemini",
    slug="gemini",
    path="/v1beta/models/{model}:generateContent",
    stream_path="/v1beta/models/{model}:streamGenerateContent?alt=sse",
    list_path="/v1beta/models",
    model="gemini-2.0-flash",
    thinker="gemini-3.7-flash",
    headers={"x-goog-api-key": KEY},
    body=generate_body,
    read=generate_read,
    read_stream=generate_read_stream,
    ends={"stop": "STOP", "length": "MAX_TOKENS", "tools": "STOP"},
)
RESPONSES = Speaker(
    name="openai responses",
    slug="openai",
    path="/v1/responses",
    list_path="/v1/models",
    model="gpt-4o-mini",
    thinker="gpt-5-mini",
    headers=BEARER,
    body=responses_body,
    read=responses_read,
    read_stream=responses_read_stream,
    ends=_END,
)

ALL = (*CHAT, MESSAGES, GENERATE, RESPONSES)
BY_NAME = {speaker.name: speaker for speaker in ALL}
