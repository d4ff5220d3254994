"""OpenRouter: https://openrouter.ai/api/v1. Comments in streams, its own cost, prices as text."""

from collections.abc import Mapping
from typing import Any

from routing.sandbox.answers import Headers
from routing.sandbox.dialects import embeddings, listings
from routing.sandbox.dialects.chat import endpoint as chat
from routing.sandbox.dialects.chat.manner import Manner, Where, always
from routing.sandbox.dialects.chat.refusals import Rules
from routing.sandbox.dialects.told import Told
from routing.sandbox.memory import Meter
from routing.sandbox.problems import BAD_GATEWAY, Cause, Flaw, Problem, Wording
from routing.sandbox.profile import Exchange, Json, Model, Profile
from routing.sandbox.providers import common
from routing.sandbox.providers.common import TRY_LATER

PROMPT_PRICE, CACHED_PRICE, COMPLETION_PRICE = 0.08, 0.02, 0.20  # USD per million tokens
UPSTREAM = "DeepInfra"
PAGE = 100

_COMMENT = b": OPENROUTER PROCESSING\n\n"


def _envelope(problem: Problem, _: str) -> Json:
    """`code` is the status, a number."""
    return {
        "error": {"message": problem.message, "code": problem.status, **problem.more},
        "user_id": "user_sandbox",
    }


_WORDS = {
    Cause.MISSING: "{place}: Required",
    Cause.INVALID: "{place}: {reason}",
    Cause.UNSUPPORTED: "Unsupported parameter: {place}",
    Cause.UNKNOWN: "Unrecognized key: {place}",
}


def flaw(found: Flaw) -> Problem:
    words = _WORDS[found.cause]
    message = words.replace("{place}", found.dotted).replace("{reason}", found.reason)
    return _problem(400, message, error_type="invalid_request")


def _problem(status: int, message: str, headers: Headers = (), **metadata: Any) -> Problem:
    more: Mapping[str, Any] = {"metadata": metadata} if metadata else {}
    return Problem(status=status, message=message, headers=headers, more=more)


_ADD_CREDITS = "Insufficient credits. Add more using https://openrouter.ai/settings/credits"
_FREE_DAY = (
    "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests"
    " per day"
)

PROBLEMS = {
    "no_key": _problem(401, "Missing Authentication header"),
    "bad_key": _problem(401, "User not found."),
    "no_credit": _problem(
        402, _ADD_CREDITS, error_type="payment_required", limit_source="openrouter_credits"
    ),
    "403": _problem(403, "This key may not use this endpoint.", error_type="permission_denied"),
    "model_missing": _problem(400, "{model} is not a valid model ID", error_type="invalid_request"),
    "404": _problem(404, "No endpoints found for {model}.", error_type="not_found"),
    "malformed": _problem(400, "Invalid JSON body", error_type="invalid_request"),
    "no_route": _problem(404, "Not Found"),
    "400": _problem(
        400, 'Input required: specify "prompt" or "messages"', error_type="invalid_request"
    ),
    "400credit": _problem(400, _ADD_CREDITS, error_type="payment_required"),
    "408": _problem(408, "Your request timed out", error_type="timeout"),
    "413": _problem(413, "Request entity too large", error_type="payload_too_large"),
    "422": _problem(422, "The request could not be processed", error_type="unprocessable"),
    "429": _problem(
        429,
        "Provider returned error",
        (*TRY_LATER, ("x-ratelimit-limit", "20"), ("x-ratelimit-remaining", "0")),
        error_type="rate_limit_exceeded",
        provider_name=UPSTREAM,
        raw="{model} is temporarily rate-limited upstream. Please retry shortly.",
    ),
    # Observed in 2026-08: the allowance of a day for free models.
    "429quota": _problem(
        429,
        _FREE_DAY,
        (("x-ratelimit-limit", "50"), ("x-ratelimit-remaining", "0")),
        error_type="rate_limit_exceeded",
        limit_source="openrouter_free_tier_daily",
    ),
    "498": _problem(498, "Capacity exceeded", error_type="rate_limit_exceeded"),
    "500": _problem(500, "Internal Server Error", error_type="server"),
    "502": BAD_GATEWAY,
    "503": _problem(
        503, "No available model provider", TRY_LATER, error_type="provider_unavailable"
    ),
    "529": _problem(529, "Provider is overloaded", error_type="provider_overloaded"),
}

WORDING = Wording(
    envelope=_envelope,
    flaw=flaw,
    named=common.same_for(PROBLEMS, **{"401": "bad_key", "402": "no_credit", "limited": "403"}),
)


def usage(told: Told) -> Json:
    draft = told.draft
    read = draft.cached.read
    prompt = ((draft.prompt - read) * PROMPT_PRICE + read * CACHED_PRICE) / 1e6
    completion = draft.output * COMPLETION_PRICE / 1e6
    return {
        **common.plain_usage(told),
        "cost": round(prompt + completion, 12),
        "is_byok": False,
        "prompt_tokens_details": {
            "cached_tokens": read,
            "cache_write_tokens": 0,
            "audio_tokens": 0,
            "video_tokens": 0,
        },
        "cost_details": {
            "upstream_inference_cost": None,
            "upstream_inference_prompt_cost": round(prompt, 12),
            "upstream_inference_completions_cost": round(completion, 12),
        },
        "completion_tokens_details": {"reasoning_tokens": draft.thoughts, "image_tokens": 0},
    }


def _thoughts(text: str) -> Json:
    item = {"type": "reasoning.text", "text": text, "format": "unknown", "index": 0}
    return {"reasoning": text, "reasoning_details": [item]}


def _answer_id(exchange_id: str) -> str:
    return f"gen-1795000000-{exchange_id}"


def _top(_: Told) -> Json:
    return {"provider": UPSTREAM, "system_fingerprint": None}


def _chunk(_told: Told, _where: Where) -> Json:
    return {"provider": UPSTREAM}


MANNER = Manner(
    answer_id=_answer_id,
    call_id=lambda seed: f"call_{seed[-24:]}",
    usage=usage,
    thoughts=_thoughts,
    message={"refusal": None, "reasoning": None},
    choice={"logprobs": None},
    pending={"logprobs": None, "finish_reason": None, "native_finish_reason": None},
    finished=lambda reason: {"finish_reason": reason, "native_finish_reason": reason},
    content_beside_calls={"content": ""},
    top=_top,
    chunk=_chunk,
    calls_have_index=True,
    usage_apart=always,
    comments=(_COMMENT, _COMMENT),
    comment_between=_COMMENT,
    has_logprobs=True,
)

RULES = Rules(
    roles=frozenset({"system", "developer", "user", "assistant", "tool"}),
    stream_options=False,
)

MODELS = tuple(
    Model(id=name, label=name)
    for name in ("google/gemma-3-12b-it", "openai/gpt-4o", "anthropic/claude-sonnet-5")
)


def headers(exchange: Exchange, _: Meter) -> Headers:
    return (("x-generation-id", _answer_id(exchange.id)),)


def _card(model: Model) -> Json:
    """Prices are texts, USD per token."""
    return {
        "id": model.id,
        "canonical_slug": model.id,
        "name": model.label,
        "created": model.created,
        "description": f"{model.label} in the sandbox",
        "context_length": model.context,
        "architecture": {
            "input_modalities": ["text", "image"],
            "output_modalities": ["text"],
            "tokenizer": "Other",
        },
        "pricing": {
            "prompt": "0.00000008",
            "completion": "0.0000002",
            "request": "0",
            "image": "0",
            "web_search": "0",
            "internal_reasoning": "0",
            "input_cache_read": "0.00000002",
        },
        "top_provider": {
            "context_length": model.context,
            "max_completion_tokens": model.output,
            "is_moderated": False,
        },
        "per_request_limits": None,
        "supported_parameters": ["max_tokens", "temperature", "tools", "response_format"],
    }


def _paged(exchange: Exchange, cards: list[Json]) -> Json:
    offset = exchange.number("offset", 0)
    limit = exchange.number("limit", PAGE)
    end = offset + limit
    following = f"/api/v1/models?offset={end}&limit={limit}" if end < len(cards) else None
    return {
        "data": cards[offset:end],
        "links": {"next": following},
        "total_count": len(cards),
    }


def _key(exchange: Exchange) -> Json:
    return {
        "data": {
            "label": exchange.credential,
            "limit": 10.0,
            "limit_remaining": 7.5 if exchange.has_credit else 0,
            "limit_reset": None,
            "usage": 2.5 if exchange.has_credit else 10.0,
            "usage_daily": 0.5,
            "usage_weekly": 1.0,
            "usage_monthly": 2.5,
            "byok_usage": 0,
            "is_free_tier": False,
            "rate_limit": {"requests": -1, "interval": "10s", "note": "deprecated"},
        }
    }


PROFILES = (
    Profile(
        slug="openrouter",
        label="OpenRouter",
        auth=common.BEARER,
        wording=WORDING,
        routes={
            "POST /api/v1/chat/completions": chat.endpoint(MANNER, RULES),
            "POST /api/v1/embeddings": embeddings.endpoint(embeddings.EmbeddingManner()),
            # Public: any caller is answered, whatever key it shows (observed in 2026-09).
            "GET /api/v1/models": listings.all_models(
                _card, _paged, needs_key=False, checks_key=False
            ),
            "GET /api/v1/key": listings.fixed(_key, shows_credit=True),
        },
        models=MODELS,
        headers=headers,
        first_token_ms=60,
        writes=(97, 211, 53),
    ),
)
