"""Cerebras: https://api.cerebras.ai/v1. Flat errors, several tokens per chunk, `time_info`."""

from routing.sandbox.answers import Headers
from routing.sandbox.dialects import listings
from routing.sandbox.dialects.chat import endpoint as chat
from routing.sandbox.dialects.chat.manner import (
    Manner,
    Where,
    if_asked,
    if_not_asked,
    shown_as,
)
from routing.sandbox.dialects.chat.refusals import Refusal, Rules
from routing.sandbox.dialects.told import Told
from routing.sandbox.memory import Meter
from routing.sandbox.names import listed
from routing.sandbox.problems import BAD_GATEWAY, Cause, Flaw, Problem, Wording
from routing.sandbox.profile import Exchange, Json, Model, Profile
from routing.sandbox.providers import common

INVALID = "invalid_request_error"


def _flat(problem: Problem, _: str) -> Json:
    return {
        "message": problem.message,
        "type": problem.type,
        "param": problem.param,
        "code": problem.code,
    }


_WORDS = {
    Cause.MISSING: "{place}: property '{place}' is missing",
    Cause.INVALID: "{place}: {reason}",
    # Seen by users of 2026-03 … 2026-07, with this type, param and code.
    Cause.UNSUPPORTED: "{place}: property '{place}' is unsupported",
    Cause.UNKNOWN: "{place}: property '{place}' is unsupported",
}


def flaw(found: Flaw) -> Problem:
    place = f"body.{found.dotted}"
    if found.place[0] == "messages":
        place = found.dotted
        if found.role:
            place = f"messages.{found.place[1]}.{found.role}.{found.place[-1]}"
    message = _WORDS[found.cause].replace("{place}", place).replace("{reason}", found.reason)
    return Problem(
        status=400, message=message, type=INVALID, param="validation_error", code="wrong_api_format"
    )


def _problem(status: int, message: str, kind: str, param: str, code: str) -> Problem:
    return Problem(status=status, message=message, type=kind, param=param, code=code)


_PAYMENT = ("payment_required_error", "quota", "payment_required")
_BUSY = "We're experiencing high traffic right now! Please try again soon."

PROBLEMS = {
    "no_key": Problem(status=403, body={"detail": "Not authenticated"}),
    "bad_key": _problem(401, "Wrong API Key", INVALID, "api_key", "wrong_api_key"),
    "no_credit": _problem(
        402, "Payment required to access this resource. Visit your billing tab.", *_PAYMENT
    ),
    "403": _problem(
        403, "You do not have permission to use this resource.", "permission_error", "", "forbidden"
    ),
    "model_missing": _problem(
        404,
        "Model {model} does not exist or you do not have access to it.",
        "not_found_error",
        "model",
        "model_not_found",
    ),
    "malformed": _problem(
        400, "body: not valid JSON", INVALID, "validation_error", "wrong_api_format"
    ),
    "no_route": Problem(status=404, page="", media="text/plain"),
    "400": _problem(
        400,
        "messages.0.content: value is not a string or an array",
        INVALID,
        "validation_error",
        "wrong_api_format",
    ),
    "400credit": _problem(400, "Payment required. Visit your billing tab.", *_PAYMENT),
    "408": _problem(408, "Request timed out.", "timeout_error", "", "request_timeout"),
    "413": _problem(
        413, "Request body is too large.", INVALID, "validation_error", "payload_too_large"
    ),
    "422": _problem(
        422, "The request could not be followed.", INVALID, "validation_error", "unprocessable"
    ),
    "429": _problem(
        429,
        "Requests per minute limit exceeded - too many requests sent.",
        "too_many_requests_error",
        "quota",
        "request_quota_exceeded",
    ),
    # Our wording: a quota that is money was not seen in traffic, only 402 was.
    "429quota": _problem(
        429, "Spending limit reached. Visit your billing tab.", "too_many_requests_error", "quota",
        "spend_limit_exceeded",
    ),
    "498": _problem(498, _BUSY, "too_many_requests_error", "queue", "capacity_exceeded"),
    "500": _problem(500, "Encountered a server error, please try again.", "server_error", "", ""),
    "502": BAD_GATEWAY,
    "503": _problem(503, _BUSY, "too_many_requests_error", "queue", "queue_exceeded"),
    "529": _problem(529, _BUSY, "too_many_requests_error", "queue", "queue_exceeded"),
}  # fmt: skip

WORDING = Wording(
    envelope=_flat,
    flaw=flaw,
    named=common.same_for(
        PROBLEMS,
        **{"401": "bad_key", "402": "no_credit", "404": "model_missing", "limited": "403"},
    ),
)


def usage(told: Told) -> Json:
    draft = told.draft
    return {
        **common.plain_usage(told),
        "image_tokens": draft.media,
        "prompt_tokens_details": {"cached_tokens": draft.cached.read},
        "completion_tokens_details": {
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
            "reasoning_tokens": draft.thoughts,
        },
    }


def _times(told: Told) -> Json:
    prompt, completion = told.draft.prompt * 1e-5, told.draft.output * 4e-4
    return {
        "time_info": {
            "queue_time": 0.001,
            "prompt_time": round(prompt, 6),
            "completion_time": round(completion, 6),
            "total_time": round(prompt + completion + 0.002, 6),
            "created": told.exchange.began_at,
        }
    }


def _chunk(told: Told, where: Where) -> Json:
    last = Where.USAGE if if_asked(told.ask) else Where.FINISH
    return {"system_fingerprint": "fp_sandbox", **(_times(told) if where is last else {})}


def _answer_id(exchange_id: str) -> str:
    return f"chatcmpl-{exchange_id}"


MANNER = Manner(
    answer_id=_answer_id,
    call_id=lambda seed: seed[-9:],
    usage=usage,
    thoughts=shown_as("reasoning"),
    top=lambda told: {
        "system_fingerprint": "fp_sandbox",
        "service_tier": "default",
        **_times(told),
    },
    chunk=_chunk,
    content_beside_calls={},
    usage_in_finish=if_not_asked,
    usage_apart=if_asked,
    has_logprobs=True,
)

_CALLS = ("tool_calls", "reasoning")
RULES = Rules(
    fields=listed(
        "model messages stream stream_options temperature top_p max_tokens "
        "max_completion_tokens stop seed n logprobs top_logprobs user tools tool_choice "
        "parallel_tool_calls response_format reasoning_effort reasoning_format "
        "clear_thinking disable_reasoning service_tier frequency_penalty presence_penalty "
        "logit_bias prediction prompt_cache_key"
    ),
    message_fields={
        "system": frozenset({"role", "content", "name"}),
        "developer": frozenset({"role", "content", "name"}),
        "user": frozenset({"role", "content", "name"}),
        "assistant": frozenset({"role", "content", "name", *_CALLS}),
        "tool": frozenset({"role", "content", "name", "tool_call_id"}),
    },
    # 400 on older models (resources/openai; support/error)
    refuses=tuple(
        Refusal(field=name, models=r"^llama")
        for name in ("frequency_penalty", "presence_penalty", "logit_bias")
    ),
    roles=frozenset({"system", "developer", "user", "assistant", "tool"}),
)

MODELS = tuple(Model(id=name) for name in ("gpt-oss-120b", "llama-3.3-70b", "zai-glm-4.7"))


def headers(exchange: Exchange, meter: Meter) -> Headers:
    resets_in = f"{max(0.0, meter.ends_at - exchange.began_at):.6f}"
    return (
        ("x-request-id", exchange.id),
        ("x-ratelimit-limit-requests-day", "14400"),
        ("x-ratelimit-limit-tokens-minute", "60000"),
        ("x-ratelimit-remaining-requests-day", common.left(14_400, meter.requests)),
        ("x-ratelimit-remaining-tokens-minute", common.left(60_000, meter.tokens)),
        ("x-ratelimit-reset-requests-day", "33011.382867"),
        ("x-ratelimit-reset-tokens-minute", resets_in),
    )


_CARD = listings.openai_card("Cerebras", dated=False)

PROFILES = (
    Profile(
        slug="cerebras",
        label="Cerebras",
        auth=common.BEARER,
        wording=WORDING,
        routes={
            "POST /v1/chat/completions": chat.endpoint(MANNER, RULES),
            "GET /v1/models": listings.all_models(_CARD),
            "GET /v1/models/{name}": listings.one_model(_CARD),
        },
        models=MODELS,
        headers=headers,
        first_token_ms=20,
        group=(4, 3, 6, 5),
        joins=2,
    ),
)
