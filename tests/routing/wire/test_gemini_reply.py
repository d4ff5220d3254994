"""Gemini's whole answers, read: blocks, reasons to end, figures, and what is no answer."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.usage import Usage
from routing.conversation import Answer, Refusal, Text, Thinking, ToolCall
from routing.execution import whole
from routing.providers.spec import Quirks
from routing.upstream.failures import FailureKind
from routing.wire.failed import NotAnAnswer
from routing.wire.gemini import reply

PLAIN = Quirks()
# As Google documents it, with the white space that its servers set whole answers with.
SAMPLE = b"""{
  "candidates": [{"content": {"role": "model", "parts": [
    {"text": "thinking summary", "thought": true},
    {"functionCall": {"id": "fc1", "name": "get_weather", "args": {
      "city": "Oslo \\" { x",  "n": 1.50, "none": null
    }}, "thoughtSignature": "RXFvKw=="}]},
    "finishReason": "STOP", "index": 0, "finishMessage": "Model generated function call(s)."}],
  "usageMetadata": {"promptTokenCount": 29, "cachedContentTokenCount": 0,
    "candidatesTokenCount": 15, "thoughtsTokenCount": 180, "totalTokenCount": 224,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 29}]},
  "modelVersion": "gemini-3.7-flash",
  "responseId": "abc"
}"""


def body(*parts: Any, reason: str = "STOP", **top: Any) -> bytes:
    candidate = {"content": {"role": "model", "parts": list(parts)}, "finishReason": reason}
    return json.dumps({"candidates": [candidate], **top}).encode()


def read(*parts: Any, **fields: Any) -> Answer:
    return reply.read_answer(body(*parts, **fields), PLAIN)


def test_a_documented_answer_is_read_in_full() -> None:
    assert reply.read_answer(SAMPLE, PLAIN) == Answer(
        blocks=(
            Thinking(text="thinking summary", signer="gemini"),
            ToolCall(
                id="fc1",
                name="get_weather",
                arguments='{"city":"Oslo \\" { x","n":1.50,"none":null}',
                signature="RXFvKw==",
            ),
        ),
        finish="tool_calls",
        model="gemini-3.7-flash",
        usage=Usage(input_uncached=29, output_visible=15, reasoning=180),
    )


def test_texts_that_follow_each_other_are_one() -> None:
    answer = read({"text": "a"}, {"text": ""}, {"text": "b"}, {"text": "t", "thought": True})
    assert answer.blocks == (Text("ab"), Thinking(text="t", signer="gemini"))


def test_calls_without_ids_get_ids_of_their_own_and_without_arguments_get_none() -> None:
    call = {"functionCall": {"name": "now"}}
    first, second = read(call, call).blocks
    assert isinstance(first, ToolCall)
    assert isinstance(second, ToolCall)
    assert first.id
    assert first.id != second.id
    assert first.arguments == "{}"


def test_a_signature_of_a_text_signs_the_thoughts_shown_or_not() -> None:
    signed = {"text": "a", "thoughtSignature": "SIGN"}
    answer = read({"text": "t", "thought": True}, signed)
    assert answer.blocks == (Thinking(text="t", signature="SIGN", signer="gemini"), Text("a"))
    answer = read(signed)
    assert answer.blocks == (Thinking(text="", signature="SIGN", signer="gemini"), Text("a"))


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("STOP", "stop"), ("MAX_TOKENS", "length"), ("CONTINUATION", "length"),
        ("SAFETY", "content_filter"), ("RECITATION", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"), ("SPII", "content_filter"),
        ("IMAGE_SAFETY", "content_filter"), ("OTHER", "stop"), ("A_REASON_OF_2027", "stop"),
        ("", "stop"),
    ],
)  # fmt: skip
def test_each_reason_to_end_has_its_word(reason: str, finish: str) -> None:
    assert read({"text": "x"}, reason=reason).finish == finish


def test_a_cut_answer_with_a_call_was_cut() -> None:
    call = {"functionCall": {"name": "now", "args": {}}}
    assert read(call, reason="MAX_TOKENS").finish == "length"


@pytest.mark.parametrize("candidate", [{}, {"content": {}}, {"content": {"parts": [{"text": ""}]}}])
def test_an_answer_without_a_word_is_empty_and_no_error(candidate: Any) -> None:
    raw = json.dumps({"candidates": [{**candidate, "finishReason": "MAX_TOKENS"}]}).encode()
    answer = reply.read_answer(raw, PLAIN)
    assert answer.blocks == ()
    assert answer.finish == "length"


def test_a_blocked_prompt_and_a_withheld_answer_are_refusals_with_their_reason() -> None:
    usage = {"promptTokenCount": 8, "totalTokenCount": 8}
    blocked = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": usage}
    answer = reply.read_answer(json.dumps(blocked).encode(), PLAIN)
    assert answer.finish == "content_filter"
    assert answer.usage == Usage(input_uncached=8)
    (refusal,) = answer.blocks
    assert isinstance(refusal, Refusal)
    assert "PROHIBITED_CONTENT" in refusal.text

    withheld = read(reason="SAFETY")
    assert isinstance(withheld.blocks[0], Refusal)
    assert "SAFETY" in withheld.blocks[0].text
    assert read({"text": "half"}, reason="SAFETY").blocks == (Text("half"),)


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"<html>", b"[]", b"{}", b'{"candidates": []}', b'{"candidates": "x"}',
        b'{"candidates": [{"content": {"parts": [{"functionCall": {"name": 3}}]}}]}',
        b'{"error": {"code": 503, "status": "UNAVAILABLE"}}',
        body({"text": "x"}, error={"code": 500}),
        body(reason="MALFORMED_FUNCTION_CALL"),
        body({"text": "x"}, reason="UNEXPECTED_TOOL_CALL"),
        b'{"promptFeedback": {}}',
    ],
)  # fmt: skip
def test_what_is_no_answer_is_said_to_be_none_and_worth_another_try(raw: bytes) -> None:
    with pytest.raises(NotAnAnswer):
        reply.read_answer(raw, PLAIN)
    failure = whole.of_odd_success(raw)
    assert failure.kind in {FailureKind.SERVER, FailureKind.OVERLOADED}
    assert failure.rule.retry_same


# Figures --------------------------------------------------------------------------------------


def usage_of(**figures: Any) -> Usage | None:
    return read({"text": "x"}, usageMetadata=figures).usage


def detail(**counts: int) -> list[dict[str, Any]]:
    return [{"modality": name, "tokenCount": count} for name, count in counts.items()]


def test_each_kind_of_token_has_its_bucket() -> None:
    usage = usage_of(
        promptTokenCount=1000,
        cachedContentTokenCount=300,
        toolUsePromptTokenCount=50,
        candidatesTokenCount=40,
        thoughtsTokenCount=60,
        promptTokensDetails=detail(TEXT=400, IMAGE=258, AUDIO=342),
        cacheTokensDetails=detail(TEXT=200, AUDIO=100),
        candidatesTokensDetails=detail(TEXT=30, AUDIO=10),
    )
    assert usage == Usage(
        input_uncached=1000 - 300 - 258 - 242 + 50,
        cache_read=300,
        output_visible=30,
        reasoning=60,
        audio_in=242,
        audio_out=10,
        image_in=258,
    )


@pytest.mark.parametrize("bad", [-1, 2**63, 1.5, "12", True, None])
@pytest.mark.parametrize("name", ["promptTokenCount", "thoughtsTokenCount"])
def test_a_count_that_cannot_be_believed_makes_usage_unknown_and_keeps_the_answer(
    name: str, bad: Any
) -> None:
    figures = {"promptTokenCount": 1, "candidatesTokenCount": 1, name: bad}
    answer = read({"text": "x"}, usageMetadata=figures)
    assert answer.usage is None
    assert answer.blocks == (Text("x"),)


def test_figures_without_a_prompt_or_with_more_cache_than_prompt_are_unknown() -> None:
    assert usage_of() is None
    assert usage_of(candidatesTokenCount=3) is None
    assert usage_of(promptTokenCount=3, cachedContentTokenCount=4) is None


counts = st.integers(min_value=0, max_value=10**9)


@given(
    prompt=counts, cached=counts, tools=counts, visible=counts, thoughts=counts, image=counts,
    audio=counts, audio_cached=counts, audio_out=counts,
)  # fmt: skip
def test_buckets_sum_to_the_providers_total_whatever_its_details_say(
    prompt: int, cached: int, tools: int, visible: int, thoughts: int, image: int, audio: int,
    audio_cached: int, audio_out: int,
) -> None:  # fmt: skip
    cached = min(cached, prompt)
    usage = usage_of(
        promptTokenCount=prompt,
        cachedContentTokenCount=cached,
        toolUsePromptTokenCount=tools,
        candidatesTokenCount=visible,
        thoughtsTokenCount=thoughts,
        totalTokenCount=prompt + tools + visible + thoughts,
        promptTokensDetails=detail(IMAGE=image, AUDIO=audio),
        cacheTokensDetails=detail(AUDIO=audio_cached),
        candidatesTokensDetails=detail(AUDIO=audio_out),
    )
    assert usage is not None
    assert min(usage.counts()) >= 0
    assert usage.input_tokens == prompt + tools
    assert usage.output_tokens == visible + thoughts
    assert usage.cache_read == cached
