# ruff: noqa: E501  the bodies stand as providers send them
"""What a provider's error means, in each provider's own words."""

import json
from pathlib import Path

import pytest

from routing.upstream import failures
from routing.upstream.failures import FailureKind as Kind

FIXTURES = Path(__file__).parents[2] / "fixtures" / "providers"

CASES = [
    # status, body, kind
    (401, '{"message":"Wrong API Key","type":"invalid_request_error","code":"wrong_api_key"}', Kind.AUTH),
    (403, '{"detail":"Not authenticated"}', Kind.AUTH),
    (400, '{"code":"invalid-argument","error":"Incorrect API key provided: xa***yz."}', Kind.AUTH),
    (400, '[{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT"}}]', Kind.AUTH),
    (400, '{"error":{"code":400,"message":"x","details":[{"reason":"API_KEY_INVALID"}]}}', Kind.AUTH),
    (402, '{"error":{"code":402,"message":"Insufficient credits."}}', Kind.BILLING),
    (429, '{"error":{"message":"quota","code":"insufficient_quota"}}', Kind.BILLING),
    (429, '{"error":{"message":"x","code":"project_spend_limit_exceeded"}}', Kind.BILLING),
    (400, '{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low"}}', Kind.BILLING),
    (429, '{"code":"resource-exhausted","error":"used all available credits"}', Kind.BILLING),
    (403, '{"code":"permission-denied","error":"run out of credits"}', Kind.BILLING),
    (402, '{"detail":{"error":"inference prohibited, please enter a payment method"}}', Kind.BILLING),
    (429, '{"error":{"code":429,"details":[{"violations":[{"quotaId":"RequestsPerDayPerProject"}]}]}}', Kind.BILLING),
    (429, '{"error":{"message":"Rate limit reached. Upgrade at https://console.groq.com/settings/billing","type":"tokens","code":"rate_limit_exceeded"}}', Kind.RATE_LIMIT),
    (400, '{"error":{"code":400,"message":"Enable billing","status":"FAILED_PRECONDITION"}}', Kind.BILLING),
    (429, '{"error":{"message":"slow down","code":"rate_limit_exceeded"}}', Kind.RATE_LIMIT),
    (498, '{"error":{"code":"capacity_exceeded"}}', Kind.RATE_LIMIT),
    (403, '{"error":{"message":"no access"}}', Kind.PERMISSION),
    (403, '{"error":{"code":403,"message":"flagged","metadata":{"reasons":["x"]}}}', Kind.POLICY),
    (404, '{"message":"Model X does not exist","code":"model_not_found"}', Kind.MODEL_MISSING),
    (404, "", Kind.MODEL_MISSING),
    (400, '{"error":{"code":400,"message":"foo is not a valid model ID"}}', Kind.MODEL_MISSING),
    (400, '{"error":{"message":"too long","code":"context_length_exceeded"}}', Kind.CONTEXT),
    (400, '{"type":"error","error":{"message":"prompt is too long: 9 tokens > 8 maximum"}}', Kind.CONTEXT),
    (400, '{"error":{"message":"The input token count (9) exceeds the maximum"}}', Kind.CONTEXT),
    (413, '{"error":{"message":"Request too large"}}', Kind.CONTEXT),
    (400, '{"error":{"message":"Unsupported parameter: x","code":"unsupported_parameter"}}', Kind.PARAM),
    (422, '{"detail":[{"type":"extra_forbidden","loc":["body","stream_options"],"msg":"Extra"}]}', Kind.PARAM),
    (400, '{"message":"messages.2.assistant.reasoning_content: property is unsupported"}', Kind.PARAM),
    (400, '{"error":{"message":"no","code":"content_policy_violation"}}', Kind.POLICY),
    (400, '{"error":{"message":"messages is required"}}', Kind.CALLER),
    (422, '{"detail":"bad"}', Kind.CALLER),
    (400, '{"error":{"message":"x","code":"tool_use_failed"}}', Kind.SERVER),
    (503, '{"error":{"message":"x"}}', Kind.OVERLOADED),
    (529, '{"type":"error","error":{"type":"overloaded_error"}}', Kind.OVERLOADED),
    (500, '{"error":{"message":"The engine is overloaded: engine overloaded"}}', Kind.OVERLOADED),
    (500, "Internal Server Error", Kind.SERVER),
    (502, "<html><body><h1>502 Bad Gateway</h1></body></html>", Kind.SERVER),
    (408, "", Kind.SERVER),
    (409, "{}", Kind.SERVER),
    (307, "", Kind.SERVER),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "kind"), CASES)
def test_an_error_is_classified(status: int, body: str, kind: Kind) -> None:
    assert failures.classify(status, (), body.encode()).kind is kind


@pytest.mark.parametrize(
    ("name", "status", "kind"),
    [
        ("bad_key", 401, Kind.AUTH),
        ("rate_limited", 429, Kind.RATE_LIMIT),
        ("no_credit", 429, Kind.BILLING),
        ("too_long", 400, Kind.CONTEXT),
        ("param", 400, Kind.PARAM),
    ],
)
def test_openais_recorded_errors(name: str, status: int, kind: Kind) -> None:
    body = (FIXTURES / "openai" / f"{name}.json").read_bytes()
    failure = failures.classify(status, (), body)
    assert failure.kind is kind
    assert failure.message


def test_every_kind_has_a_rule() -> None:
    assert set(failures.RULES) == set(Kind)


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ([(b"retry-after", b"2")], b"", 2.0),
        ([(b"retry-after-ms", b"1500"), (b"retry-after", b"9")], b"", 1.5),
        ([(b"retry-after", b"-5")], b"", 0.0),
        ([(b"retry-after", b"99999")], b"", 600.0),
        ([(b"retry-after", b"soon")], b"", None),
        ([(b"retry-after", b"nan")], b"", None),
        ([(b"retry-after", b"Mon, 01 Jan 2026 00:00:00 +99999999999999999999")], b"", None),
        ([(b"retry-after", b"Wed, 21 Oct 2015 07:28:00 GMT")], b"", 0.0),
        ([], b'{"details":[{"retryDelay": "34.4s"}]}', 34.4),
        ([], b'{"details":[{"retryDelay": "3.4.4s"}]}', None),
        ([], b"", None),
    ],
)
def test_how_long_to_wait(
    headers: list[tuple[bytes, bytes]], body: bytes, seconds: float | None
) -> None:
    assert failures.retry_after(headers, body) == seconds


@pytest.mark.parametrize(
    "echo", ["sk-abc123def456", "sk-ab***yz", "xa***yz", "gsk_abcdef", "AIzaSyABCDEF", "csk-12345"]
)
def test_fragments_of_keys_are_taken_out_of_messages(echo: str) -> None:
    body = json.dumps({"error": {"message": f"Incorrect API key provided: {echo}. See docs."}})
    message = failures.classify(401, (), body.encode()).message
    assert echo not in message
    assert "See docs." in message


def test_a_long_page_is_cut() -> None:
    assert len(failures.classify(502, (), b"<p>x</p>" * 9999).message) <= 500


def test_only_the_beginning_of_a_long_message_is_read() -> None:
    long = "x" * 10_000
    error = {"message": f"bad {long} flagged", "code": long, "param": long}
    failure = failures.classify(400, (), json.dumps({"error": error}).encode())
    assert failure.kind is Kind.CALLER
    assert max(map(len, (failure.message, failure.code, failure.param or ""))) <= 500
