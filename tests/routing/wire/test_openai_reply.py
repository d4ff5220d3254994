"""Whole answers of OpenAI's dialect."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.usage import Usage
from routing.providers import loader
from routing.providers.spec import Quirks
from routing.wire.failed import NotAnAnswer
from routing.wire.openai import reply

FIXTURES = Path(__file__).parents[2] / "fixtures" / "providers"
PROVIDERS = loader.load_all()
USAGES = {
    "openai": Usage(input_uncached=9, output_visible=2),
    "groq": Usage(input_uncached=45, output_visible=60),
    "cerebras": Usage(input_uncached=37, cache_read=32, output_visible=37, reasoning=8),
    "openrouter": Usage(input_uncached=10, output_visible=2),
}


@pytest.mark.parametrize("slug", USAGES)
def test_a_providers_answer_keeps_all_but_id_and_usage(slug: str) -> None:
    body = (FIXTURES / slug / "reply.json").read_bytes()
    read = reply.read(body, PROVIDERS[slug].quirks)
    assert read.usage == USAGES[slug]
    out = json.loads(
        reply.write(read, body_id="chatcmpl-x", usage=USAGES[slug], cost=Decimal("0.0021"))
    )
    theirs = json.loads(body)
    assert out.pop("id") == "chatcmpl-x"
    usage = out.pop("usage")
    assert usage["cost"] == 0.0021
    assert usage["prompt_tokens"] == theirs.pop("usage")["prompt_tokens"]
    assert not {"is_byok", "cost_details"} & usage.keys()
    del theirs["id"]
    if theirs.get("service_tier") == "on_demand":  # no word of OpenAI's
        del theirs["service_tier"]
    for choice in theirs["choices"]:  # what the schema requires and some leave out
        choice.setdefault("logprobs", None)
        choice["message"].setdefault("refusal", None)
    assert out == theirs


def test_openrouters_own_figure_is_kept_beside() -> None:
    body = (FIXTURES / "openrouter" / "reply.json").read_bytes()
    assert reply.read(body, PROVIDERS["openrouter"].quirks).reported_cost == Decimal("0.0000012")


def answer(message: dict[str, Any], **top: Any) -> bytes:
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return json.dumps({"id": "a", "choices": choices, **top}).encode()


@pytest.mark.parametrize(
    "message",
    [
        {"content": "x"},
        {"content": None, "tool_calls": [{"id": "1"}]},
        {"refusal": "no"},
        {"content": [{"type": "text", "text": "x"}]},
    ],
)
def test_text_a_call_or_a_refusal_is_an_answer(message: dict[str, Any]) -> None:
    assert not reply.read(answer(message), Quirks()).is_empty


@pytest.mark.parametrize("message", [{}, {"content": ""}, {"content": None, "tool_calls": []}])
def test_an_answer_without_any_is_empty(message: dict[str, Any]) -> None:
    assert reply.read(answer(message), Quirks()).is_empty


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"choices": []}',
        b'{"choices": "x"}',
        b'{"choices": [{"error": {"code": 502}}]}',
        b'{"error": {"message": "x"}, "choices": [{"message": {"content": "x"}}]}',
    ],
)
def test_garbage_and_errors_in_disguise_are_no_answers(body: bytes) -> None:
    with pytest.raises(NotAnAnswer):
        reply.read(body, Quirks())


@pytest.mark.parametrize("bad", [-1, 2**63, 1.5, "12", True, None, float("1e308")])
def test_a_count_that_cannot_be_believed_makes_usage_unknown(bad: Any) -> None:
    usage = {"prompt_tokens": bad, "completion_tokens": 1}
    assert reply.read(answer({"content": "x"}, usage=usage), Quirks()).usage is None


def used(**figures: Any) -> Usage | None:
    return reply.read(answer({"content": "x"}, usage=figures), Quirks()).usage


def test_more_cached_than_prompt_stood_beside_the_prompt() -> None:
    assert used(prompt_tokens=1, prompt_tokens_details={"cached_tokens": 2}) == Usage(
        input_uncached=1, cache_read=2
    )


def test_reasoning_beside_the_completion_is_told_by_the_total() -> None:
    """As xAI recorded it: 228 tokens of thought are billed and not in `completion_tokens`."""
    assert used(
        prompt_tokens=12,
        completion_tokens=1,
        total_tokens=241,
        prompt_tokens_details={"cached_tokens": 2},
        completion_tokens_details={"reasoning_tokens": 228},
    ) == Usage(input_uncached=10, cache_read=2, output_visible=1, reasoning=228)


def test_reasoning_larger_than_the_completion_stands_beside_it() -> None:
    details = {"reasoning_tokens": 30}
    assert used(prompt_tokens=5, completion_tokens=4, completion_tokens_details=details) == Usage(
        input_uncached=5, output_visible=4, reasoning=30
    )


@pytest.mark.parametrize(
    "spelt",
    [
        {"prompt_tokens_details": {"cached_tokens": 64}},
        {"prompt_token_details": {"cached_tokens": 64}},
        {"num_cached_tokens": 64},
    ],
)
def test_mistrals_three_spellings_of_cached_tokens(spelt: dict[str, Any]) -> None:
    assert used(prompt_tokens=124, completion_tokens=22, **spelt) == Usage(
        input_uncached=60, cache_read=64, output_visible=22
    )


def test_a_reported_cost_is_scaled_by_its_unit() -> None:
    quirks = Quirks(reported_cost_in="cost_in_usd_ticks", reported_cost_unit=Decimal("1e-10"))
    usage = {"prompt_tokens": 12, "completion_tokens": 1, "cost_in_usd_ticks": 1176500}
    body = answer({"content": "x"}, usage=usage)
    assert reply.read(body, quirks).reported_cost == Decimal("0.00011765")


counts = st.integers(min_value=0, max_value=10**9)


@given(plain=counts, cached=counts, written=counts, audio=counts, out=counts, thought=counts)
def test_buckets_sum_to_the_providers_totals(
    plain: int, cached: int, written: int, audio: int, out: int, thought: int
) -> None:
    reported = {
        "prompt_tokens": plain + cached + written + audio,
        "completion_tokens": out + thought,
        "prompt_tokens_details": {
            "cached_tokens": cached, "cache_write_tokens": written, "audio_tokens": audio,
        },
        "completion_tokens_details": {"reasoning_tokens": thought},
    }  # fmt: skip
    usage = reply.usage_of(reported)
    assert usage is not None
    assert usage.input_tokens == reported["prompt_tokens"]
    assert usage.output_tokens == reported["completion_tokens"]


def test_an_unknown_cost_is_null_and_never_zero() -> None:
    read = reply.read(answer({"content": "x"}), Quirks())
    out = json.loads(reply.write(read, body_id="i", usage=Usage(input_uncached=3), cost=None))
    assert out["usage"] == {
        "prompt_tokens": 3, "completion_tokens": 0, "total_tokens": 3, "cost": None,
    }  # fmt: skip
