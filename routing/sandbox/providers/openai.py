"""OpenAI: https://api.openai.com/v1. Chat Completions, Responses, embeddings, models."""

import re

from routing.sandbox.answers import Headers
from routing.sandbox.dialects import embeddings, listings
from routing.sandbox.dialects.chat import endpoint as chat
from routing.sandbox.dialects.chat.manner import Manner, if_asked
from routing.sandbox.dialects.chat.refusals import Refusal, Rules, answered_calls
from routing.sandbox.dialects.responses.endpoint import RESPONSES
from routing.sandbox.dialects.told import Told
from routing.sandbox.memory import Meter
from routing.sandbox.names import listed
from routing.sandbox.problems import BAD_GATEWAY, Cause, Flaw, Problem, Wording
from routing.sandbox.profile import Exchange, Json, Model, Profile
from routing.sandbox.providers import common
from routing.sandbox.providers.common import TRY_LATER

INVALID = "invalid_request_error"

# Families and what they refuse: provider documentation and client tables of 2026-11.
REASONING = r"^(?:o\d|gpt-(?:[5-9]|\d\d)(?![\d.]*+-chat))"
NEVER_SAMPLES = r"^(?:o\d|gpt-(?:5(?![.\d])|[6-9]|\d\d)(?![\d.]*+-chat))"
SAMPLES_WITHOUT_EFFORT = r"^gpt-5\.\d++(?!-chat)"
BILLS_CACHE_WRITES = re.compile(r"^gpt-(?:5\.[6-9]|[6-9]|\d\d)")

_CODES = {
    Cause.MISSING: ("missing_required_parameter", "Missing required parameter: '{place}'."),
    Cause.INVALID: ("invalid_value", "Invalid value for '{place}': {reason}."),
    Cause.UNSUPPORTED: (
        "unsupported_parameter",
        "Unsupported parameter: '{place}' is not supported with this model.{reason}",
    ),
    Cause.UNKNOWN: ("unknown_parameter", "Unknown parameter: '{place}'."),
}
_NO_QUOTA = "You exceeded your current quota, please check your plan and billing details."
_OVERLOADED = "That model is currently overloaded with other requests. You can retry your request."


def flaw(found: Flaw) -> Problem:
    code, words = _CODES[found.cause]
    place = found.bracketed
    message = words.replace("{place}", place).replace("{reason}", found.reason)
    return Problem(status=400, message=message, type=INVALID, code=code, param=place)


def _refused(
    status: int,
    message: str,
    code: str | None = None,
    kind: str = INVALID,
    param: str | None = None,
) -> Problem:
    return Problem(status=status, message=message, type=kind, code=code, param=param)


PROBLEMS = {
    "no_key": _refused(
        401,
        "You didn't provide an API key. You need to provide your API key in an Authorization"
        " header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY).",
    ),
    "bad_key": _refused(
        401,
        "Incorrect API key provided: {key}. You can find your API key at"
        " https://platform.openai.com/account/api-keys.",
        "invalid_api_key",
    ),
    "no_credit": _refused(429, _NO_QUOTA, "insufficient_quota", "insufficient_quota"),
    "limited": _refused(
        403,
        "You have insufficient permissions for this operation. Missing scopes: api.model.read.",
        "insufficient_permissions",
    ),
    "model_missing": _refused(
        404,
        "The model `{model}` does not exist or you do not have access to it.",
        "model_not_found",
    ),
    "malformed": _refused(400, "We could not parse the JSON body of your request."),
    "no_route": _refused(404, "Invalid URL ({path})"),
    "json_word": _refused(
        400,
        "'messages' must contain the word 'json' in some form, to use 'response_format' of type"
        " 'json_object'.",
        param="messages",
    ),
    "stray_tool_result": _refused(
        400,
        "Invalid parameter: messages with role 'tool' must be a response to a preceeding message"
        " with 'tool_calls'.",
        param="messages.[{index}].role",
    ),
    "unanswered_call": _refused(
        400,
        "An assistant message with 'tool_calls' must be followed by tool messages responding to"
        " each 'tool_call_id'. The following tool_call_ids did not have response messages: {ids}",
        param="messages.[{index}].role",
    ),
    "stray_output": _refused(
        400, "No tool call found for function call output with call_id {id}.", param="input"
    ),
    "missing_output": _refused(
        400, "No tool output found for function call {id}.", param="input"
    ),
    "no_previous_response": _refused(
        400,
        "Previous response with id '{id}' not found.",
        "previous_response_not_found",
        param="previous_response_id",
    ),
    "400": _refused(
        400,
        "Invalid type for 'messages[0].content': expected one of a string or array of objects, but"
        " got an integer instead.",
        "invalid_type",
        param="messages[0].content",
    ),
    "400credit": _refused(
        400, "Billing hard limit has been reached", "billing_hard_limit_reached"
    ),
    "402": _refused(402, "Your account is not active, please check your billing details on our"
                    " website.", "billing_not_active", "billing_not_active"),
    "403": _refused(
        403,
        "Country, region, or territory not supported",
        "unsupported_country_region_territory",
        "request_forbidden",
    ),
    "408": _refused(408, "Request timed out.", None, "server_error"),
    "413": _refused(413, "Maximum content size limit (26214400) exceeded.", None, "server_error"),
    "422": _refused(422, "The request was well-formed but could not be followed."),
    "429": Problem(
        status=429,
        message="Rate limit reached for {model} in organization org-sandbox on tokens per min"
        " (TPM): Limit 200000, Used 199000, Requested 4000. Please try again in 900ms. Visit"
        " https://platform.openai.com/account/rate-limits to learn more.",
        type="tokens",
        code="rate_limit_exceeded",
        headers=TRY_LATER,
    ),
    "498": _refused(498, "The flex capacity is exhausted.", "resource_unavailable", "requests"),
    "500": _refused(
        500, "The server had an error while processing your request.", None, "server_error"
    ),
    "502": BAD_GATEWAY,
    "503": _refused(503, _OVERLOADED, None, "server_error"),
    "529": _refused(529, _OVERLOADED, None, "server_error"),
}  # fmt: skip

WORDING = Wording(
    envelope=common.error_object,
    flaw=flaw,
    named=common.same_for(
        PROBLEMS, **{"401": "bad_key", "404": "model_missing", "429quota": "no_credit"}
    ),
)


def usage(told: Told) -> Json:
    """Cached tokens are in the prompt, reasoning is in the completion."""
    draft = told.draft
    written = {}
    if BILLS_CACHE_WRITES.match(told.ask.model):
        written = {"cache_write_tokens": draft.cached.written}
    return {
        **common.plain_usage(told),
        "prompt_tokens_details": {
            "cached_tokens": draft.cached.read,
            "audio_tokens": 0,
            **written,
        },
        "completion_tokens_details": {
            "reasoning_tokens": draft.thoughts,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


MANNER = Manner(
    answer_id="chatcmpl-{}".format,
    call_id=lambda seed: f"call_{seed[-24:]}",
    usage=usage,
    message={"refusal": None, "annotations": []},
    delta={"refusal": None},
    choice={"logprobs": None},
    pending={"logprobs": None, "finish_reason": None},
    top=lambda _: {"service_tier": "default", "system_fingerprint": "fp_sandbox"},
    chunk=lambda _told, _where: {"service_tier": "default", "system_fingerprint": "fp_sandbox"},
    whole_calls=False,
    null_usage=if_asked,
    usage_apart=if_asked,
    has_logprobs=True,
)


def _without_effort(body: Json) -> bool:
    return body.get("reasoning_effort") == "none"


_SAMPLING = ("temperature", "top_p")
_HINT = " Use 'max_completion_tokens' instead."

RULES = Rules(
    fields=listed(
        "audio frequency_penalty function_call functions logit_bias logprobs "
        "max_completion_tokens max_tokens messages metadata modalities model moderation n "
        "parallel_tool_calls prediction presence_penalty prompt_cache_key "
        "prompt_cache_options prompt_cache_retention reasoning_effort response_format "
        "safety_identifier seed service_tier stop store stream stream_options temperature "
        "tool_choice tools top_logprobs top_p user verbosity web_search_options"
    ),
    refuses=(
        Refusal(field="max_tokens", models=REASONING, reason=_HINT),
        Refusal(field="stop", models=r"^(?:o\d|gpt-5(?![.\d]))(?!.*-chat)"),
        *(
            Refusal(field=name, models=REASONING)
            for name in ("frequency_penalty", "presence_penalty", "logit_bias", "top_logprobs")
        ),
        Refusal(field="logprobs", models=NEVER_SAMPLES, accepts=(False,)),
        *(Refusal(field=name, models=NEVER_SAMPLES, accepts=(1,)) for name in _SAMPLING),
        *(
            Refusal(
                field=name,
                models=SAMPLES_WITHOUT_EFFORT,
                accepts=(1, False),
                unless=_without_effort,
            )
            for name in (*_SAMPLING, "logprobs")
        ),
        Refusal(field="temperature", models=r"-search-preview"),
        Refusal(field="prompt_cache_retention", models=r"^gpt-(?:[6-9]|\d\d)"),
        Refusal(
            field="reasoning_effort",
            cause=Cause.INVALID,
            accepts=("none", "minimal", "low", "medium", "high", "xhigh", "max"),
            reason="expected one of 'none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'",
        ),
        Refusal(
            field="max_completion_tokens",
            cause=Cause.INVALID,
            unless=lambda body: body.get("max_tokens") is None,
            reason="'max_tokens' is set at the same time",
        ),
    ),
    roles=frozenset({"developer", "system", "user", "assistant", "tool", "function"}),
    json_needs_word=True,
    order=(answered_calls,),
)

MODELS = tuple(
    Model(id=name, created=created)
    for name, created in (
        ("gpt-4.1-mini", 1744318173),
        ("gpt-4o-mini", 1721172741),
        ("gpt-5-mini", 1754425928),
        ("o4-mini", 1744225351),
        ("text-embedding-3-small", 1705948997),
    )
)


def headers(exchange: Exchange, meter: Meter) -> Headers:
    return (
        ("x-request-id", f"req_{exchange.id}"),
        ("openai-organization", "org-sandbox"),
        ("openai-processing-ms", "20"),
        ("openai-version", "2020-10-01"),
        *common.openai_limits(exchange, meter, 10_000, 200_000),
    )


def _card(model: Model) -> Json:
    return {**listings.openai_card("system")(model), "shutdown_date": None}


PROFILES = (
    Profile(
        slug="openai",
        label="OpenAI",
        auth=common.BEARER,
        wording=WORDING,
        routes={
            "POST /v1/chat/completions": chat.endpoint(MANNER, RULES),
            "POST /v1/responses": RESPONSES,
            "POST /v1/embeddings": embeddings.endpoint(
                embeddings.EmbeddingManner(
                    fields=frozenset({"input", "model", "dimensions", "encoding_format", "user"}),
                    usual_dimensions=1536,
                )
            ),
            "GET /v1/models": listings.all_models(_card),
            "GET /v1/models/{name}": listings.one_model(_card),
        },
        models=MODELS,
        headers=headers,
        first_token_ms=40,
    ),
)
