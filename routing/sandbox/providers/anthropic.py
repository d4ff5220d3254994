"""Anthropic: https://api.anthropic.com/v1. Messages, their tokens, and models in pages."""

from datetime import UTC, datetime

from routing.sandbox.answers import Headers
from routing.sandbox.dialects import listings
from routing.sandbox.dialects.messages import endpoint as messages
from routing.sandbox.dialects.messages.families import family_of
from routing.sandbox.memory import Meter
from routing.sandbox.problems import BAD_GATEWAY, Cause, Flaw, Problem, Wording
from routing.sandbox.profile import Exchange, Json, Model, Profile
from routing.sandbox.providers import common
from routing.sandbox.providers.common import TRY_LATER

INVALID = "invalid_request_error"


def _envelope(problem: Problem, exchange_id: str) -> Json:
    return {
        "type": "error",
        "error": {"type": problem.type, "message": problem.message, **problem.more},
        "request_id": f"req_{exchange_id}",
    }


_WORDS = {
    Cause.MISSING: "{place}: Field required",
    Cause.INVALID: "{place}: Input is not valid: {reason}",
    Cause.UNSUPPORTED: "{place}: Extra inputs are not permitted",
    Cause.UNKNOWN: "{place}: Extra inputs are not permitted",
}


def flaw(found: Flaw) -> Problem:
    words = _WORDS[found.cause].replace("{place}", found.dotted)
    return _problem(400, INVALID, words.replace("{reason}", found.reason))


def _problem(status: int, kind: str, message: str) -> Problem:
    return Problem(status=status, type=kind, message=message)


_LOW = (
    "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to"
    " upgrade or purchase credits."
)

PROBLEMS = {
    "no_key": _problem(401, "authentication_error", "x-api-key header is required"),
    "bad_key": _problem(401, "authentication_error", "invalid x-api-key"),
    "no_credit": _problem(400, INVALID, _LOW),
    "403": _problem(
        403, "permission_error", "Your API key does not have permission to use this resource."
    ),
    "model_missing": _problem(404, "not_found_error", "model: {model}"),
    "malformed": _problem(
        400, INVALID, "The request body is not valid JSON: unexpected character: line 1 column 1"
    ),
    "no_header": _problem(400, INVALID, "{header}: header is required"),
    "no_route": _problem(404, "not_found_error", "Not found"),
    "400": _problem(400, INVALID, "messages: roles must alternate between user and assistant"),
    "402": _problem(402, "billing_error", "There is a problem with your payment information."),
    "408": _problem(408, "timeout_error", "The request timed out."),
    "413": _problem(413, "request_too_large", "Request exceeds the maximum size"),
    "422": _problem(422, INVALID, "The request could not be followed."),
    "429": Problem(
        status=429,
        type="rate_limit_error",
        message="This request would exceed your organization's rate limit of 30,000 input tokens"
        " per minute (org: sandbox, model: {model}). For details, refer to:"
        " https://docs.claude.com/en/api/rate-limits. You can see the response headers for current"
        " usage. Please reduce the prompt length or the maximum tokens requested, or try again"
        " later.",
        headers=TRY_LATER,
    ),
    "429quota": Problem(
        status=429,
        type="rate_limit_error",
        message="This workspace has reached its limit for this month.",
        more={"details": {"error_code": "enforced_spend_limit_reached"}},
    ),
    "498": _problem(498, "rate_limit_error", "Capacity exceeded"),
    "500": _problem(500, "api_error", "Internal server error"),
    "502": BAD_GATEWAY,
    "503": _problem(503, "overloaded_error", "Service unavailable"),
    "529": _problem(529, "overloaded_error", "Overloaded"),
}

WORDING = Wording(
    envelope=_envelope,
    flaw=flaw,
    named=common.same_for(
        PROBLEMS,
        **{
            "401": "bad_key",
            "404": "model_missing",
            "400credit": "no_credit",
            "limited": "403",
        },
    ),
)

MODELS = tuple(
    Model(id=name, label=label, context=1_000_000)
    for name, label in (
        ("claude-sonnet-5", "Claude Sonnet 5"),
        ("claude-opus-4-8", "Claude Opus 4.8"),
        ("claude-haiku-4-5", "Claude Haiku 4.5"),
    )
)

_REQUESTS, _INPUT, _OUTPUT = 4000, 2_000_000, 400_000


def headers(exchange: Exchange, meter: Meter) -> Headers:
    """Resets are told as times of RFC 3339."""
    resets_at = datetime.fromtimestamp(meter.ends_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    limits = (
        ("requests", _REQUESTS, meter.requests),
        ("tokens", _INPUT + _OUTPUT, meter.tokens),
        ("input-tokens", _INPUT, meter.tokens),
        ("output-tokens", _OUTPUT, meter.tokens),
    )
    told = [
        field
        for name, limit, used in limits
        for field in (
            (f"anthropic-ratelimit-{name}-limit", str(limit)),
            (f"anthropic-ratelimit-{name}-remaining", common.left(limit, used)),
            (f"anthropic-ratelimit-{name}-reset", resets_at),
        )
    ]
    return (
        ("request-id", f"req_{exchange.id}"),
        ("anthropic-organization-id", "sandbox"),
        ("anthropic-workspace-id", "sandbox"),
        *told,
    )


def _card(model: Model) -> Json:
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.label or model.id,
        "created_at": "2026-06-01T00:00:00Z",
        "max_input_tokens": model.context,
        "max_tokens": family_of(model.id).max_output,
        "lifecycle": "active",
        "capabilities": None,
    }


def _page(exchange: Exchange, cards: list[Json]) -> Json:
    """From after `after_id` on, at most `limit`."""
    after, limit = exchange.query.get("after_id"), exchange.number("limit", 20)
    ids = [card["id"] for card in cards]
    start = ids.index(after) + 1 if after in ids else 0
    page = cards[start : start + limit]
    return {
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": start + limit < len(cards),
    }


PROFILES = (
    Profile(
        slug="anthropic",
        label="Anthropic",
        auth=("x-api-key", "authorization"),
        needed_headers=("anthropic-version",),
        wording=WORDING,
        routes={
            "POST /v1/messages": messages.MESSAGES,
            "POST /v1/messages/count_tokens": messages.COUNT_TOKENS,
            "GET /v1/models": listings.all_models(_card, _page),
            "GET /v1/models/{name}": listings.one_model(_card),
        },
        models=MODELS,
        headers=headers,
        first_token_ms=50,
    ),
)
