"""A model that refuses a parameter is asked once more without it, and not with it again."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from routing.upstream import refused
from tests.journeys import books
from tests.journeys.conftest import MESSAGES, Caller
from tests.servers.receiver import Receiver

GROQ, OPENAI = "groq/llama-3.3-70b-versatile", "openai/gpt-4.1-mini"


class Strict(Receiver):
    """OpenAI's dialect, from a model that takes no temperature."""

    def answer(self, body: bytes) -> tuple[int, dict[str, Any]]:
        if "temperature" in json.loads(body):
            error = {"message": "Unsupported parameter: 'temperature'", "param": "temperature",
                     "type": "invalid_request_error", "code": "unsupported_parameter"}  # fmt: skip
            return 400, {"error": error}
        message = {"role": "assistant", "content": "pong"}
        usage = {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return 200, {"id": "x", "object": "chat.completion", "created": 1, "model": "m",
                     "choices": [choice], "usage": usage}  # fmt: skip


@pytest.fixture
def strict(live_caller: Caller, monkeypatch: pytest.MonkeyPatch) -> Iterator[Strict]:
    """In the place of Groq, which the live key reaches."""
    server = Strict()
    monkeypatch.setenv("FLO2_PROVIDER_GROQ_BASE_URL", server.origin)
    refused.memory.forget()
    yield server
    refused.memory.forget()
    server.stop()


def ask(caller: Caller, **fields: Any) -> httpx.Response:
    body = {"model": GROQ, "messages": MESSAGES, **fields}
    with caller.gateway.client(caller.live_key) as http:
        return http.post("/v1/chat/completions", json=body)


def sent(server: Strict) -> list[bool]:
    """Whether each request had a temperature."""
    return ["temperature" in json.loads(one.body) for one in server.received]


def test_the_same_model_is_asked_without_it_and_later_at_once(
    live_caller: Caller, strict: Strict
) -> None:
    first = ask(live_caller, temperature=0.3, models=[OPENAI])

    assert first.status_code == 200, first.text
    assert first.headers["x-flo2-provider"] == "groq"
    assert first.headers["x-flo2-reason"] == "retry"
    assert first.headers["x-flo2-adapted-params"] == "temperature"
    _, attempts = books.last(live_caller)
    assert [(one.role, one.outcome) for one in attempts] == [
        ("primary", "param"), ("retry", "answered"),
    ]  # fmt: skip
    second = ask(live_caller, temperature=0.3)
    assert second.headers["x-flo2-attempts"] == "1"
    assert second.headers["x-flo2-adapted-params"] == "temperature"
    assert sent(strict) == [True, False, False]


def test_who_requires_parameters_gets_the_next_model_or_the_error(
    live_caller: Caller, strict: Strict
) -> None:
    required = {"temperature": 0.3, "provider": {"require_parameters": True}}

    alone = ask(live_caller, **required)
    other = ask(live_caller, models=[OPENAI], **required)

    assert alone.status_code == 400
    assert alone.json()["error"]["param"] == "temperature"
    assert other.headers["x-flo2-provider"] == "openai"
    assert sent(strict) == [True, True]
