"""The two ends of the matrix: three dialects that callers speak, ten providers that answer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from tests.journeys.conftest import Caller
from tests.routing.sandbox import chat_speech, speakers
from tests.routing.sandbox.speaking import Json, Reply, Speaker

PICTURE = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg"
    "=="
)


@dataclass(frozen=True, kw_only=True)
class End:
    """A provider, and its models for what not every model can."""

    slug: str
    model: str
    thinker: str
    sees: str | None  # a model that takes images
    forces: bool = True  # a tool choice may force a call
    shows_thoughts: bool = True

    def __str__(self) -> str:
        return self.slug


PROVIDERS = (
    End(slug="cerebras", model="llama-3.3-70b", thinker="gpt-oss-120b", sees=None),
    End(slug="openai", model="gpt-4o-mini", thinker="gpt-5-mini", sees="gpt-4o-mini",
        shows_thoughts=False),
    End(slug="anthropic", model="claude-haiku-4-5", thinker="claude-opus-4-8",
        sees="claude-haiku-4-5"),
    End(slug="groq", model="llama-3.3-70b-versatile", thinker="openai/gpt-oss-120b",
        sees="meta-llama/llama-4-scout-17b-16e-instruct"),
    End(slug="gemini", model="gemini-2.0-flash", thinker="gemini-3.7-flash",
        sees="gemini-2.0-flash"),
    End(slug="deepinfra", model="meta-llama/Llama-3.3-70B-Instruct",
        thinker="deepseek-ai/DeepSeek-R1", sees="google/gemma-4-31B-it", forces=False),
    End(slug="mistral", model="mistral-small-latest", thinker="magistral-medium-latest",
        sees="mistral-large-latest"),
    End(slug="xai", model="grok-4-fast-non-reasoning", thinker="grok-4.3",
        sees="grok-4-fast-non-reasoning"),
    End(slug="openrouter", model="google/gemma-3-12b-it", thinker="deepseek/deepseek-r1",
        sees="amazon/nova-lite-v1"),
    End(slug="nvidia", model="meta/llama-3.3-70b-instruct", thinker="openai/gpt-oss-120b",
        sees="meta/llama-3.2-90b-vision-instruct"),
)  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """What came back: the answer read, and the raw exchange."""

    reply: Reply
    raw: httpx.Response

    @property
    def adapted(self) -> list[str]:
        told: str = self.raw.headers.get("x-flo2-adapted-params", "")
        return told.split(",")


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How a stock client of one dialect asks the gateway."""

    name: str
    speaker: Speaker
    path: str
    image: Callable[[str, str], Json]  # a body with text and picture, for a model
    think: Json  # fields that ask for thoughts
    result: Callable[[Json, Json, str], Json]  # body, answer, result → the next body

    def __str__(self) -> str:
        return self.name

    def ask(self, caller: Caller, end: End, text: str = "Say hello.", **options: Any) -> Asked:
        model = f"{end.slug}/{options.pop('model', end.model)}"
        return self.send(caller, self.speaker.body(text, model=model, **options))

    def send(self, caller: Caller, body: Json) -> Asked:
        with caller.gateway.client(caller.test_key) as http:
            raw = http.post(self.path, json=body)
        assert raw.status_code == 200, raw.text
        read = self.speaker.read_stream(raw.content) if body.get("stream") else None
        return Asked(read or self.speaker.read(raw.json()), raw)


def _chat_image(model: str, text: str) -> Json:
    url = f"data:image/png;base64,{PICTURE}"
    parts = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": url}}]
    return chat_speech.chat_body(model=model) | {"messages": [{"role": "user", "content": parts}]}


def _messages_image(model: str, text: str) -> Json:
    source = {"type": "base64", "media_type": "image/png", "data": PICTURE}
    parts = [{"type": "image", "source": source}, {"type": "text", "text": text}]
    body = speakers.messages_body(model=model)
    return body | {"messages": [{"role": "user", "content": parts}]}


def _responses_image(model: str, text: str) -> Json:
    url = f"data:image/png;base64,{PICTURE}"
    parts = [{"type": "input_text", "text": text}, {"type": "input_image", "image_url": url}]
    return speakers.responses_body(model=model) | {"input": [{"role": "user", "content": parts}]}


def _chat_result(body: Json, answer: Json, result: str) -> Json:
    """As most clients do it: thoughts are dropped, whatever they were."""
    message = answer["choices"][0]["message"]
    said = {"role": "assistant", "content": message["content"], "tool_calls": message["tool_calls"]}
    told = [
        {"role": "tool", "tool_call_id": call["id"], "content": result}
        for call in message["tool_calls"]
    ]
    return {**body, "messages": [*body["messages"], said, *told]}


def _messages_result(body: Json, answer: Json, result: str) -> Json:
    told = [
        {"type": "tool_result", "tool_use_id": block["id"], "content": result}
        for block in answer["content"]
        if block["type"] == "tool_use"
    ]
    said = {"role": "assistant", "content": answer["content"]}
    return {**body, "messages": [*body["messages"], said, {"role": "user", "content": told}]}


def _responses_result(body: Json, answer: Json, result: str) -> Json:
    asked = body["input"]
    first = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
    calls = [item for item in answer["output"] if item["type"] == "function_call"]
    told = [
        {"type": "function_call_output", "call_id": call["call_id"], "output": result}
        for call in calls
    ]
    return {**body, "input": [*first, *answer["output"], *told]}


CHAT = Dialect(
    name="chat",
    speaker=speakers.BY_NAME["openai"],
    path="/v1/chat/completions",
    image=_chat_image,
    think={"reasoning_effort": "low"},
    result=_chat_result,
)
MESSAGES = Dialect(
    name="messages",
    speaker=speakers.MESSAGES,
    path="/v1/messages",
    image=_messages_image,
    think={"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}},
    result=_messages_result,
)
RESPONSES = Dialect(
    name="responses",
    speaker=speakers.RESPONSES,
    path="/v1/responses",
    image=_responses_image,
    think={"reasoning": {"effort": "low", "summary": "auto"}},
    result=_responses_result,
)
DIALECTS = (CHAT, MESSAGES, RESPONSES)
