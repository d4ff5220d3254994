"""xAI: https://api.x.ai/v1. Reasoning outside the completion, cost in ticks, flat errors."""

from routing.sandbox.answers import Headers
from routing.sandbox.dialects import embeddings, listings
from routing.sandbox.dialects.chat import endpoint as chat
from routing.sandbox.dialects.chat.manner import Manner, always, shown_as
from routing.sandbox.dialects.chat.refusals import Refusal, Rules
from routing.sandbox.dialects.told import Told
from routing.sandbox.memory import Meter
from routing.sandbox.problems import BAD_GATEWAY, Cause, Flaw, Problem, Wording
from routing.sandbox.profile import Exchange, Json, Model, Profile
from routing.sandbox.providers import common

# Prices in ticks per token: 10,000,000,000 ticks are one dollar.
INPUT_TICKS, CACHED_TICKS, OUTPUT_TICKS = 3000, 750, 5000

_ARGUMENT = "Client specified an invalid argument"
_REASONING = r"^(?!.*non-reasoning)grok-(?:3-mini|[4-9]|code)"


def _envelope(problem: Problem, _: str) -> Json:
    return {"code": problem.code, "error": problem.message}


def _camel(text: str) -> str:
    """`presence_penalty` as `presencePenalty`: xAI names parameters by its own."""
    first, *rest = text.split("_")
    return first + "".join(word.capitalize() for word in rest)


def flaw(found: Flaw) -> Problem:
    """A wrong type is 422 from the parser; an argument that a model does not take is 400."""
    place = found.dotted
    if found.cause is Cause.UNSUPPORTED:
        message = f"Argument not supported on this model: {_camel(place)}"
        return Problem(status=400, message=message, code=_ARGUMENT)
    reason = {Cause.MISSING: f"missing field `{place}`"}.get(
        found.cause, f"{place}: {found.reason or 'invalid value'}"
    )
    message = f"Failed to deserialize the JSON body into the target type: {reason}"
    return Problem(status=422, message=message, code=_ARGUMENT)


def _problem(status: int, code: str, message: str) -> Problem:
    return Problem(status=status, code=code, message=message)


_EXHAUSTED = "Some resource has been exhausted"
_NO_MONEY = (
    "Your team sandbox has either used all available credits or reached its monthly spending"
    " limit. To continue making API requests, please purchase more credits or raise your spending"
    " limit."
)
_DENIED = "The caller does not have permission to execute the specified operation"
_UNAVAILABLE = "The service is currently unavailable"

PROBLEMS = {
    "no_key": _problem(401, "unauthenticated:no-credentials", "No credentials presented."),
    "bad_key": _problem(
        400,
        "invalid-argument",
        "Incorrect API key provided: {key}. You can obtain an API key from https://console.x.ai.",
    ),
    "no_credit": _problem(403, _DENIED, _NO_MONEY),
    "403": _problem(403, _DENIED, "Your API key does not have permission for this operation."),
    "model_missing": _problem(
        404,
        "Some requested entity was not found",
        "The model {model} does not exist or your team sandbox does not have access to it.",
    ),
    "malformed": _problem(
        400, _ARGUMENT, "Failed to parse the request body as JSON: expected value at line 1"
    ),
    "no_route": Problem(status=404, page="", media="text/plain"),
    "400": _problem(400, _ARGUMENT, "Each message must have at least one content element."),
    "400credit": _problem(400, _EXHAUSTED, _NO_MONEY),
    "402": _problem(402, _EXHAUSTED, _NO_MONEY),
    "408": _problem(408, "deadline-exceeded", "The deadline expired before it could complete."),
    "413": _problem(413, _ARGUMENT, "Failed to buffer the request body: length limit exceeded"),
    "422": _problem(
        422,
        _ARGUMENT,
        "Failed to deserialize the JSON body into the target type: messages[0]: invalid type",
    ),
    "429": _problem(
        429,
        _EXHAUSTED,
        "Too many tokens for team sandbox and model {model}. Your team's rate limit is — Tokens"
        " per Minute (actual/limit): 65605/16000. You can view your team rate limits at"
        " https://console.x.ai.",
    ),
    "429quota": _problem(429, _EXHAUSTED, _NO_MONEY),
    "498": _problem(498, _EXHAUSTED, "Capacity exceeded."),
    "500": _problem(500, "internal", "Internal error occurred."),
    "502": BAD_GATEWAY,
    "503": _problem(503, _UNAVAILABLE, "The model is at capacity. Please try again later."),
    "529": _problem(529, _UNAVAILABLE, "The model is at capacity. Please try again later."),
}

WORDING = Wording(
    envelope=_envelope,
    flaw=flaw,
    named=common.same_for(PROBLEMS, **{"401": "no_key", "404": "model_missing", "limited": "403"}),
)


def usage(told: Told) -> Json:
    """Reasoning is in the total and in the ticks, and not in the completion."""
    draft = told.draft
    fresh, read = draft.prompt - draft.cached.read, draft.cached.read
    return {
        "prompt_tokens": draft.prompt,
        "completion_tokens": draft.visible,
        "total_tokens": draft.prompt + draft.output,
        "prompt_tokens_details": {
            "text_tokens": draft.prompt - draft.media,
            "audio_tokens": 0,
            "image_tokens": draft.media,
            "cached_tokens": read,
        },
        "completion_tokens_details": {
            "reasoning_tokens": draft.thoughts,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
        "num_sources_used": 0,
        "cost_in_usd_ticks": (
            fresh * INPUT_TICKS + read * CACHED_TICKS + draft.output * OUTPUT_TICKS
        ),
    }


def _uuid(exchange_id: str) -> str:
    text = exchange_id.ljust(32, "0")
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:32]))


MANNER = Manner(
    answer_id=_uuid,
    call_id=lambda seed: f"call_{seed[-8:]}",
    usage=usage,
    thoughts=shown_as("reasoning_content"),
    message={"refusal": None},
    pending={},
    content_beside_calls={"content": ""},
    top=lambda _: {"system_fingerprint": "fp_sandbox"},
    chunk=lambda _told, _where: {"system_fingerprint": "fp_sandbox"},
    calls_have_index=True,
    usage_apart=always,
)

RULES = Rules(
    refuses=(
        Refusal(field="presence_penalty", models=_REASONING),
        Refusal(field="frequency_penalty", models=_REASONING),
        Refusal(field="stop", models=_REASONING),
        Refusal(field="reasoning_effort", models=r"non-reasoning|^grok-3(?!-mini)"),
    ),
    roles=frozenset({"system", "developer", "user", "assistant", "tool", "function"}),
    stream_options=False,
)

MODELS = tuple(
    Model(id=name, context=256_000) for name in ("grok-4.3", "grok-4.6", "grok-code-fast-1")
)


def headers(exchange: Exchange, meter: Meter) -> Headers:
    return (
        ("x-request-id", _uuid(exchange.id)),
        *common.openai_limits(exchange, meter, 480, 2_000_000),
    )


def _language_card(model: Model) -> Json:
    return {
        "id": model.id,
        "fingerprint": "fp_sandbox",
        "created": model.created,
        "object": "model",
        "owned_by": "xai",
        "version": "1.0",
        "aliases": [],
        "input_modalities": ["text", "image"],
        "output_modalities": ["text"],
        "prompt_text_token_price": INPUT_TICKS,
        "cached_prompt_text_token_price": CACHED_TICKS,
        "completion_text_token_price": OUTPUT_TICKS,
        "long_context_threshold": 200_000,
    }


def _key(exchange: Exchange) -> Json:
    return {
        "redacted_api_key": exchange.credential,
        "name": "sandbox",
        "user_id": "sandbox",
        "team_id": "sandbox",
        "acls": ["api-key:model:*", "api-key:endpoint:*"],
        "create_time": "2026-01-01T00:00:00Z",
        "modify_time": "2026-01-01T00:00:00Z",
        "api_key_id": "sandbox",
        "api_key_blocked": False,
        "api_key_disabled": False,
        "team_blocked": False,
    }


_CARD = listings.openai_card("xai")

PROFILES = (
    Profile(
        slug="xai",
        label="xAI",
        auth=common.BEARER,
        wording=WORDING,
        routes={
            "POST /v1/chat/completions": chat.endpoint(MANNER, RULES),
            "POST /v1/embeddings": embeddings.endpoint(embeddings.EmbeddingManner()),
            "GET /v1/models": listings.all_models(_CARD),
            "GET /v1/models/{name}": listings.one_model(_CARD),
            "GET /v1/language-models": listings.all_models(
                _language_card, lambda _, cards: {"models": cards}
            ),
            "GET /v1/api-key": listings.fixed(_key),
        },
        models=MODELS,
        headers=headers,
        first_token_ms=60,
    ),
)
