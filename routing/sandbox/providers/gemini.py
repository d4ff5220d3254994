"""Gemini: https://generativelanguage.googleapis.com/v1beta, natively and under /openai."""

from typing import Any

from routing.sandbox.dialects import embeddings, listings
from routing.sandbox.dialects.chat import endpoint as chat
from routing.sandbox.dialects.chat.manner import Manner, if_asked, never
from routing.sandbox.dialects.chat.refusals import Refusal, Rules
from routing.sandbox.dialects.generate import contents
from routing.sandbox.dialects.generate import endpoint as generate
from routing.sandbox.dialects.told import Told
from routing.sandbox.problems import BAD_GATEWAY, Cause, Flaw, Problem, Wording
from routing.sandbox.profile import Exchange, Json, Model, Profile
from routing.sandbox.providers import common

_RPC = "type.googleapis.com/google.rpc."
_STATUSES = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED", 404: "NOT_FOUND", 408: "DEADLINE_EXCEEDED",
    413: "INVALID_ARGUMENT", 422: "INVALID_ARGUMENT", 429: "RESOURCE_EXHAUSTED",
    498: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE", 529: "UNAVAILABLE",
}  # fmt: skip


def _native(problem: Problem, _: str) -> Json:
    error = {
        "code": problem.status,
        "message": problem.message,
        "status": problem.type or _STATUSES[problem.status],
    }
    return {"error": {**error, **problem.more}}


def _compat(problem: Problem, exchange_id: str) -> list[Json]:
    """The same object inside a list of one."""
    return [_native(problem, exchange_id)]


def flaw(found: Flaw) -> Problem:
    place = found.bracketed
    above = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in found.place[:-1])
    above = above.removeprefix(".")
    at = f" at '{above}'" if above else ""
    name = found.place[-1]
    message = {
        Cause.MISSING: f"* GenerateContentRequest.{place}: {name} is not specified",
        Cause.INVALID: f"Invalid value at '{place}': {found.reason}",
        Cause.UNSUPPORTED: f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find'
        " field.",
        Cause.UNKNOWN: f'Invalid JSON payload received. Unknown name "{name}"{at}: Cannot find'
        " field.",
    }[found.cause]
    violation = {"field": above, "description": message}
    detail = {"@type": f"{_RPC}BadRequest", "fieldViolations": [violation]}
    return Problem(status=400, message=message, more={"details": [detail]})


def _problem(status: int, message: str, *details: Any, status_name: str = "") -> Problem:
    more = {"details": list(details)} if details else {}
    return Problem(status=status, message=message, type=status_name or None, more=more)


# The same words for a minute's limit and for a day's: only the quota's name tells which.
_QUOTA = (
    "You exceeded your current quota, please check your plan and billing details. For more"
    " information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits."
)


def _quota(period: str, retry: str) -> tuple[Any, ...]:
    quota = f"GenerateRequestsPer{period}PerProjectPerModel-FreeTier"
    return (
        {"@type": f"{_RPC}QuotaFailure", "violations": [{"quotaId": quota}]},
        {"@type": f"{_RPC}RetryInfo", "retryDelay": retry},
    )


_BAD_KEY = {
    "@type": f"{_RPC}ErrorInfo",
    "reason": "API_KEY_INVALID",
    "domain": "googleapis.com",
    "metadata": {"service": "generativelanguage.googleapis.com"},
}
_NO_BILLING = (
    "This API method requires billing to be enabled. Please enable billing on the project."
)

PROBLEMS = {
    "no_key": _problem(
        403,
        "Method doesn't allow unregistered callers (callers without established identity). Please"
        " use API Key or other form of API consumer identity to call this API.",
    ),
    "bad_key": _problem(400, "API key not valid. Please pass a valid API key.", _BAD_KEY),
    "no_credit": _problem(400, _NO_BILLING, status_name="FAILED_PRECONDITION"),
    "401": _problem(401, "Request had invalid authentication credentials."),
    "402": _problem(402, _NO_BILLING),
    "403": _problem(403, "The caller does not have permission"),
    "model_missing": _problem(
        404,
        "models/{model} is not found for API version v1beta, or is not supported for"
        " generateContent. Call ListModels to see the list of available models and their supported"
        " methods.",
    ),
    "malformed": _problem(400, "Invalid JSON payload received. Unexpected end of string."),
    "no_route": _problem(404, "Requested entity was not found."),
    "no_contents": _problem(400, "* GenerateContentRequest.contents: contents is not specified"),
    "no_parts": _problem(
        400,
        "* GenerateContentRequest.contents[{index}].parts: contents.parts must not be empty.",
    ),
    "bad_role": _problem(400, "Please use a valid role: user, model."),
    "unnamed_response": _problem(
        400, "* GenerateContentRequest.contents.parts.function_response.name: Name cannot be empty."
    ),
    "unanswered_calls": _problem(
        400,
        "Please ensure that the number of function response parts is equal to the number of"
        " function call parts of the function call turn.",
    ),
    "no_signature": _problem(
        400,
        "Function call is missing a thought_signature in functionCall parts. This is required for"
        " tools to work correctly, and missing thought_signature may lead to degraded model"
        " performance. Additional data, function call `default_api:{name}` , position {position}."
        " Please refer to https://ai.google.dev/gemini-api/docs/thought-signatures for more"
        " details.",
    ),
    "400": _problem(400, "Request contains an invalid argument."),
    "408": _problem(408, "The request timed out."),
    "413": _problem(413, "Request payload size exceeds the limit: 20971520 bytes."),
    "422": _problem(422, "The request could not be followed."),
    "429": _problem(429, _QUOTA, *_quota("Minute", "1s")),
    "429quota": _problem(429, _QUOTA, *_quota("Day", "36s")),
    "498": _problem(498, "No capacity is left."),
    "500": _problem(500, "An internal error has occurred. Please retry."),
    "502": BAD_GATEWAY,
    "503": _problem(503, "The model is overloaded. Please try again later."),
    "529": _problem(529, "The model is overloaded. Please try again later."),
}

_NAMED = common.same_for(
    PROBLEMS, **{"404": "model_missing", "400credit": "no_credit", "limited": "403"}
)
WORDING = Wording(envelope=_native, flaw=flaw, named=_NAMED)
COMPAT_WORDING = Wording(
    envelope=_compat,
    flaw=flaw,
    named={
        **_NAMED,
        "no_key": _problem(400, "Missing or invalid Authorization header."),
        "bad_key": _problem(400, "API key not valid. Please pass a valid API key."),
    },
)


def usage(told: Told) -> Json:
    """Thoughts are in the total only: neither shown, nor in the completion."""
    draft = told.draft
    return {
        "prompt_tokens": draft.prompt,
        "completion_tokens": draft.visible,
        "total_tokens": draft.prompt + draft.output,
    }


def _signed(seed: str, index: int) -> Json:
    """Of calls made together the first carries the signature of the thought behind them."""
    if index:
        return {}
    return {"extra_content": {"google": {"thought_signature": contents.signature(seed)}}}


def signatures(exchange: Exchange, messages: list[Json]) -> None:
    """Gemini 3 wants the signature of the first call back, in the turn that is under way."""
    if not contents.wants_signatures(exchange.body["model"]):
        return
    for position, message in reversed(list(enumerate(messages))):
        if message["role"] == "user":
            return
        calls = message.get("tool_calls")
        if isinstance(calls, list) and calls and not _has_signature(calls[0]):
            name = str((calls[0].get("function") or {}).get("name"))
            raise exchange.problem("no_signature", name=name, position=str(position + 1))


def _has_signature(call: Any) -> bool:
    extra = call.get("extra_content") if isinstance(call, dict) else None
    google = extra.get("google") if isinstance(extra, dict) else None
    return bool(isinstance(google, dict) and google.get("thought_signature"))


MANNER = Manner(
    answer_id=lambda exchange_id: exchange_id,
    call_id=lambda seed: f"function-call-{seed[-12:]}",
    usage=usage,
    pending={},
    call_extra=_signed,
    content_beside_calls={},
    usage_in_all=if_asked,  # in every chunk, as much as there is so far (users' reports of 2026-03)
    usage_apart=never,
)

RULES = Rules(
    refuses=tuple(
        Refusal(field=name)
        for name in ("store", "metadata", "logit_bias", "logprobs", "top_logprobs")
    ),
    roles=frozenset({"system", "user", "assistant", "tool"}),
    most_stops=5,
    most_choices=8,
    order=(signatures,),
)

MODELS = tuple(
    Model(id=name, label=name, context=1_048_576, output=65_536)
    for name in ("gemini-3.7-flash", "gemini-2.5-flash", "gemini-embedding-001")
)


def _card(model: Model) -> Json:
    return {
        "name": f"models/{model.id}",
        "version": "001",
        "displayName": model.label or model.id,
        "description": f"{model.id} in the sandbox",
        "inputTokenLimit": model.context,
        "outputTokenLimit": model.output,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
        "temperature": 1,
        "topP": 0.95,
        "topK": 64,
        "maxTemperature": 2,
        "thinking": True,
    }


def _page(exchange: Exchange, cards: list[Json]) -> Json:
    """At most `pageSize`, from where `pageToken` points to."""
    start = exchange.number("pageToken", 0)
    end = start + exchange.number("pageSize", 50)
    page: Json = {"models": cards[start:end]}
    return {**page, "nextPageToken": str(end)} if end < len(cards) else page


def _compat_card(model: Model) -> Json:
    return {
        "id": f"models/{model.id}",
        "object": "model",
        "owned_by": "google",
        "display_name": model.label or model.id,
    }


PROFILES = (
    Profile(
        slug="gemini",
        label="Gemini",
        auth=("x-goog-api-key",),
        wording=WORDING,
        routes={
            "POST /v1beta/models/{name}:generateContent": generate.GENERATE,
            "POST /v1beta/models/{name}:streamGenerateContent": generate.STREAM,
            "POST /v1beta/models/{name}:countTokens": generate.COUNT_TOKENS,
            "POST /v1beta/models/{name}:embedContent": generate.EMBED,
            "POST /v1beta/models/{name}:batchEmbedContents": generate.EMBED_BATCH,
            "GET /v1beta/models": listings.all_models(_card, _page),
            "GET /v1beta/models/{name}": listings.one_model(_card),
        },
        models=MODELS,
        headers=common.no_headers,
        first_token_ms=60,
    ),
    Profile(
        slug="gemini",
        label="Gemini",
        auth=common.BEARER,
        wording=COMPAT_WORDING,
        routes={
            "POST /v1beta/openai/chat/completions": chat.endpoint(MANNER, RULES),
            "POST /v1beta/openai/embeddings": embeddings.endpoint(
                embeddings.EmbeddingManner(usual_dimensions=3072)
            ),
            "GET /v1beta/openai/models": listings.all_models(_compat_card),
        },
        models=MODELS,
        headers=common.no_headers,
        first_token_ms=60,
    ),
)
