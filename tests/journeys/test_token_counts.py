"""Counting tokens: exact where the provider counts, and then a request like any other."""

from typing import Any

import httpx
import pytest

from accounts import audit, gateway_keys
from accounts.gateway_keys import KeyTerms
from accounts.tenancy import tenant_scope
from tests.journeys.conftest import Caller

CLAUDE, OTHER = "anthropic/claude-haiku-4-5", "openai/gpt-4o-mini"


@pytest.fixture
def key(caller: Caller) -> str:
    """A test key that may make two requests per minute."""
    terms = KeyTerms(name="few", mode="test", requests_per_minute=2)
    with tenant_scope(caller.tenant.pk):
        return gateway_keys.issue(caller.tenant, terms, actor=audit.SYSTEM).text.reveal()


def asked(caller: Caller, key: str, path: str, model: str) -> httpx.Response:
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": "Hi"}]}
    if path == "/v1/messages":
        body["max_tokens"] = 50
    with caller.gateway.client(key) as http:
        return http.post(path, json=body)


def counted(caller: Caller, key: str, model: str) -> httpx.Response:
    return asked(caller, key, "/v1/messages/count_tokens", model)


def test_what_a_provider_counts_is_a_request_of_its_key(caller: Caller, key: str) -> None:
    first = counted(caller, key, CLAUDE)
    assert (first.status_code, first.json()["estimated"]) == (200, False)
    assert first.headers["x-ratelimit-remaining-requests"] == "1"
    assert asked(caller, key, "/v1/messages", CLAUDE).status_code == 200

    refused = counted(caller, key, CLAUDE)

    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    assert int(refused.headers["retry-after"]) > 0


def test_an_estimate_asks_nobody_and_is_no_request(caller: Caller, key: str) -> None:
    answers = [counted(caller, key, OTHER) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200] * 4
    assert all(answer.json()["estimated"] for answer in answers)
