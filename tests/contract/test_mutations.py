"""Requests with one thing wrong, in every place: an answer or a clear refusal, never a 500.

A corpus made from one rich body for each endpoint: every value in turn is taken away or replaced
by each of the odd values below. A seeded sample of it in the usual run, all of it in the full one.
"""

import copy
import json
import os
import random
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.contract.ends import PICTURE
from tests.journeys.conftest import Caller
from tests.routing.sandbox.speaking import WEATHER, Json

FULL = os.environ.get("FLO2_TEST_FULL") == "1"
SAMPLE = 100  # requests of each corpus
GONE = object()
DEEP: Any = "deep"
for _ in range(40):
    DEEP = [DEEP]
ODD: list[Any] = [
    GONE, None, True, -1, 0, 1.5, 2**63, 1e308, "", "x", "\u0000", "💥" * 50, [], {}, [None], [[]],
    {"type": None}, {"type": "nonsense"}, DEEP,
]  # fmt: skip
# One of each rule that a dialect reads, writes otherwise or says in words.
RULES: Json = {
    **WEATHER,
    "properties": {
        "city": {"type": "string"},
        "at": {"type": "string", "format": "date-time", "description": "d", "pattern": "^a"},
        "kind": {"enum": ["a", "b"], "default": "a", "title": "t"},
        "one": {"const": 1},
        "count": {"type": ["integer", "null"], "exclusiveMinimum": 0, "maximum": 9},
        "list": {"type": "array", "items": {"$ref": "#/$defs/d"}, "minItems": 1, "maxItems": 3},
        "any": {"anyOf": [{"type": "string"}, {"allOf": [{"type": "number"}]}]},
        "map": {"type": "object", "additionalProperties": {"type": "string", "format": "email"}},
    },
    "$defs": {"d": {"type": "string", "format": "uri"}},
}
IMAGE = f"data:image/png;base64,{PICTURE}"

CHAT: Json = {
    "messages": [
        {"role": "system", "content": "s"},
        {"role": "user", "content": [
            {"type": "text", "text": "Use the tool."},
            {"type": "image_url", "image_url": {"url": IMAGE, "detail": "low"}},
        ]},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        ]},
        {"role": "tool", "tool_call_id": "c1", "content": "4"},
    ],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": RULES}}],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "parallel_tool_calls": True,
    "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": RULES}},
    "max_completion_tokens": 50, "temperature": 0.5, "top_p": 0.5, "stop": ["x"], "seed": 1, "n": 1,
    "stream": False, "reasoning_effort": "low", "user": "u", "metadata": {"a": "b"},
    "service_tier": "auto", "verbosity": "low", "logit_bias": {"1": 1}, "logprobs": False,
    "presence_penalty": 0.5, "prompt_cache_key": "k", "store": False,
}  # fmt: skip
MESSAGES: Json = {
    "max_tokens": 50,
    "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {"role": "user", "content": [
            {"type": "text", "text": "Use the tool."},
            {"type": "image", "source": {
                "type": "base64", "media_type": "image/png", "data": PICTURE}},
        ]},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "x"},
            {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}},
        ]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": [
                {"type": "text", "text": "4"}], "is_error": False},
        ]},
    ],
    "tools": [{"name": "f", "description": "d", "input_schema": RULES}],
    "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
    "thinking": {"type": "adaptive"}, "output_config": {"effort": "low"},
    "stop_sequences": ["x"], "temperature": 1, "metadata": {"user_id": "u"}, "stream": False,
    "service_tier": "auto", "top_k": 5,
}  # fmt: skip
RESPONSES: Json = {
    "instructions": "s",
    "input": [
        {"role": "user", "content": [
            {"type": "input_text", "text": "Use the tool."},
            {"type": "input_image", "image_url": IMAGE},
        ]},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]},
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "4"},
    ],
    "tools": [
        {"type": "function", "name": "f", "parameters": RULES},
        {"type": "custom", "name": "g", "format": {
            "type": "grammar", "syntax": "lark", "definition": "d"}},
        {"type": "namespace", "name": "ns", "tools": [{"type": "function", "name": "h"}]},
    ],
    "tool_choice": {"type": "function", "name": "f"},
    "text": {"format": {"type": "json_schema", "name": "n", "schema": RULES}, "verbosity": "low"},
    "reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"],
    "max_output_tokens": 50, "temperature": 0.5, "store": False, "stream": False,
    "service_tier": "auto", "metadata": {"a": "b"}, "truncation": "disabled", "top_p": 0.5,
    "prompt_cache_key": "k", "user": "u", "parallel_tool_calls": True,
}  # fmt: skip
# Anthropic checks what is signed, and nobody has signed this.
UNSIGNED: Json = copy.deepcopy(MESSAGES)
del UNSIGNED["messages"][1]["content"][0], UNSIGNED["top_k"]  # nor with thoughts
# What another provider thought, which Anthropic never sees.
FOREIGN: Json = {
    "max_tokens": 50,
    "messages": [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"}]},
    ],
}
EMBEDDINGS: Json = {"input": ["a", "b"], "encoding_format": "float", "dimensions": 8, "user": "u"}

CORPORA = {
    "chat to anthropic": ("/v1/chat/completions", "anthropic/claude-haiku-4-5", CHAT),
    "chat to gemini": ("/v1/chat/completions", "gemini/gemini-2.5-flash", CHAT),
    "chat to mistral": ("/v1/chat/completions", "mistral/mistral-large-latest", CHAT),
    "messages to openai": ("/v1/messages", "openai/gpt-4o-mini", MESSAGES),
    "messages to gemini": ("/v1/messages", "gemini/gemini-2.5-flash", MESSAGES),
    "messages to anthropic": ("/v1/messages", "anthropic/claude-opus-4-6", UNSIGNED),
    "foreign thoughts to anthropic": ("/v1/messages", "anthropic/claude-opus-4-6", FOREIGN),
    "count foreign thoughts": ("/v1/messages/count_tokens", "anthropic/claude-opus-4-6", FOREIGN),
    "count tokens": ("/v1/messages/count_tokens", "openai/gpt-4o-mini", MESSAGES),
    "responses to openai": ("/v1/responses", "openai/gpt-4o-mini", RESPONSES),
    "responses to anthropic": ("/v1/responses", "anthropic/claude-haiku-4-5", RESPONSES),
    "responses to gemini": ("/v1/responses", "gemini/gemini-2.5-flash", RESPONSES),
    "embeddings": ("/v1/embeddings", "openai/text-embedding-3-small", EMBEDDINGS),
}

Place = tuple[str | int, ...]


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    """Every place in a JSON value, the root aside."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for name, inner in items:
        yield (*place, name)
        yield from places(inner, (*place, name))


def mutated(body: Json, place: Place, odd: Any) -> Json:
    body = copy.deepcopy(body)
    holder: Any = body
    for name in place[:-1]:
        holder = holder[name]
    if odd is GONE:
        del holder[place[-1]]
    else:
        holder[place[-1]] = odd
    return body


def corpus(body: Json) -> list[Json]:
    return [mutated(body, place, odd) for place in places(body) for odd in ODD]


@pytest.mark.parametrize("name", CORPORA)
def test_a_mutated_request_is_answered_or_refused_and_nothing_breaks(
    caller: Caller, name: str
) -> None:
    path, model, body = CORPORA[name]
    body = {"model": model, **body}
    assert status_of(caller, path, body) == 200, "the body itself is fine"
    requests = corpus(body)
    if not FULL:
        requests = random.Random(name).sample(requests, min(SAMPLE, len(requests)))
    broken = []
    with caller.gateway.client(caller.test_key) as http:
        for request in requests:
            answer = http.post(path, content=json.dumps(request), timeout=15)
            if answer.status_code >= 500 or not is_well_formed(answer):
                broken.append((answer.status_code, answer.text[:300], request))
    print(f"{name}: {len(requests)} requests, {len(broken)} broken")
    assert broken == []


def status_of(caller: Caller, path: str, body: Json) -> int:
    with caller.gateway.client(caller.test_key) as http:
        answer = http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.status_code


def is_well_formed(answer: httpx.Response) -> bool:
    """An answer, a stream, or an error that names itself."""
    if answer.status_code == 200:
        return bool(answer.content)
    error = answer.json()["error"]
    return bool(error["message"]) and bool(error["type"])


@pytest.mark.parametrize("name", CORPORA)
@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'{"model": NaN}',
        b'{"model": "\\ud800"}',
        b'{"model": "a", "model": {}}',
        b'{"a":' * 70 + b"1" + b"}" * 70,
        b'{"a": 1' + b"0" * 5000 + b"}",
        b"\xff\xfe",
        b'{"model": "auto"} x',
    ],
)
def test_what_is_no_json_is_a_400(caller: Caller, name: str, raw: bytes) -> None:
    path = CORPORA[name][0]
    with caller.gateway.client(caller.test_key) as http:
        answer = http.post(path, content=raw, timeout=15)
    assert answer.status_code == 400
    assert is_well_formed(answer)
