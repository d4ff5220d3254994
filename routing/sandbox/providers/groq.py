"""Groq: https://api.groq.com/openai/v1. Times in the usage, and the usage twice at the end."""

from routing.sandbox.answers import Headers
from routing.sandbox.dialects import embeddings, listings
from routing.sandbox.dialects.chat import endpoint as chat
from routing.sandbox.dialects.chat.manner import (
    Manner,
    Where,
    always,
    never,
    shown_as,
)
from routing.sandbox.dialects.chat.refusals import Refusal, Rules
from routing.sandbox.dialects.told import Told
from routing.sandbox.memory import Meter
from routing.sandbox.names import listed
from routing.sandbox.problems import BAD_GATEWAY, Cause, Flaw, Problem, Wording
from routing.sandbox.profile import Exchange, Json, Model, Profile
from routing.sandbox.providers import common
from routing.sandbox.providers.common import TRY_LATER

INVALID = "invalid_request_error"


def _envelope(problem: Problem, _: str) -> Json:
    """`param` and `code` only where there is one."""
    error = {"message": problem.message, "type": problem.type}
    if problem.param is not None:
        error["param"] = problem.param
    if problem.code is not None:
        error["code"] = str(problem.code)
    return {"error": {**error, **problem.more}}


_WORDS = {
    Cause.MISSING: "property '{place}' is missing",
    Cause.INVALID: "'{place}' : {reason}",
    Cause.UNSUPPORTED: "property '{place}' is unsupported",
    Cause.UNKNOWN: "property '{place}' is unsupported",
}


def flaw(found: Flaw) -> Problem:
    """Fields of messages are told with the message that they stand in (users' reports of 2026)."""
    words = _WORDS[found.cause].replace("{reason}", found.reason)
    if found.place[0] == "messages" and len(found.place) > 2:
        where, name = f"messages.{found.place[1]}", str(found.place[-1])
        inner = words.replace("{place}", name)
        about = f"for 'role:{found.role}' " if found.role else ""
        message = f"'{where}' : {about}the following must be satisfied[('{where}' : {inner})]"
    else:
        message = words.replace("{place}", found.dotted)
    return Problem(status=400, message=message, type=INVALID)


def _problem(status: int, message: str, kind: str, code: str | None = None) -> Problem:
    return Problem(status=status, message=message, type=kind, code=code)


_UPGRADE = (
    "Need more tokens? Upgrade to Dev Tier today at https://console.groq.com/settings/billing"
)
_SERVER = "internal_server_error"

PROBLEMS = {
    "no_key": _problem(401, "Invalid API Key", INVALID, "invalid_api_key"),
    "bad_key": _problem(401, "Invalid API Key", INVALID, "invalid_api_key"),
    # Groq bills afterwards; what stops a key is the spend limit that its owner has set.
    "no_credit": _problem(
        400,
        "API access is blocked: this organization has reached its spending limit.",
        INVALID,
        "blocked_api_access",
    ),
    "403": _problem(
        403,
        "The model is blocked at the project level. Please have a project admin enable it in the"
        " project settings.",
        "permissions_error",
        "model_permission_blocked_project",
    ),
    "model_missing": _problem(
        404,
        "The model `{model}` does not exist or you do not have access to it.",
        INVALID,
        "model_not_found",
    ),
    "malformed": _problem(400, "could not parse the JSON body", INVALID),
    "no_route": _problem(404, "Unknown request URL: {path}", INVALID, "unknown_url"),
    "json_word": _problem(
        400,
        "'messages' must contain the word 'json' in some form, to use 'response_format' of type"
        " 'json_object'.",
        INVALID,
    ),
    "400": _problem(
        400,
        "'messages.0' : for 'role:user' the following must be satisfied[('messages.0.content' :"
        " value must be a string)]",
        INVALID,
    ),
    "402": _problem(402, "Payment is required for this organization.", INVALID, "billing"),
    "408": _problem(408, "Request timed out.", "timeout", "request_timeout"),
    "413": _problem(
        413,
        "Request too large for model `{model}` in organization `org_sandbox` service tier"
        " `on_demand` on tokens per minute (TPM): Limit 6000, Requested 12328, please reduce your"
        f" message size and try again. {_UPGRADE}",
        "tokens",
        "rate_limit_exceeded",
    ),
    "422": _problem(422, "The request was well-formed but could not be followed.", INVALID),
    "429": Problem(
        status=429,
        message="Rate limit reached for model `{model}` in organization `org_sandbox` service tier"
        " `on_demand` on tokens per minute (TPM): Limit 12000, Used 4437, Requested 9854. Please"
        f" try again in 1s. {_UPGRADE}",
        type="tokens",
        code="rate_limit_exceeded",
        headers=TRY_LATER,
    ),
    # Our wording: Groq tells of spent money with a 400.
    "429quota": _problem(
        429, "This organization has reached its spending limit.", INVALID, "spend_limit_reached"
    ),
    "498": _problem(498, "The flex tier is at capacity.", "flex_tier", "capacity_exceeded"),
    "500": _problem(500, "Internal Server Error", _SERVER),
    "502": BAD_GATEWAY,
    "503": _problem(
        503,
        "{model} is currently over capacity. Please try again and back off exponentially."
        " Visit https://groqstatus.com to see if there is an active incident.",
        _SERVER,
    ),
    "529": _problem(529, "{model} is currently over capacity.", _SERVER),
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


def usage(told: Told) -> Json:
    """Times are seconds; the details are there only if there is something to tell."""
    draft = told.draft
    prompt, completion = round(draft.prompt * 4e-5, 6), round(draft.output * 3e-3, 6)
    details: Json = {}
    if draft.cached.read:
        details["prompt_tokens_details"] = {"cached_tokens": draft.cached.read}
    if draft.thoughts:
        details["completion_tokens_details"] = {"reasoning_tokens": draft.thoughts}
    return {
        "queue_time": 0.04,
        "prompt_tokens": draft.prompt,
        "prompt_time": prompt,
        "completion_tokens": draft.output,
        "completion_time": completion,
        "total_tokens": draft.prompt + draft.output,
        "total_time": round(prompt + completion, 6),
        **details,
    }


def _request(told: Told) -> Json:
    return {"id": f"req_{told.exchange.id}"}


def _chunk(told: Told, where: Where) -> Json:
    extras: dict[Where, Json] = {
        Where.FIRST: {"seed": 167346302},
        Where.FINISH: {"usage": usage(told)},
    }
    extra = extras.get(where)
    head = {"system_fingerprint": "fp_sandbox"}
    return head if extra is None else {**head, "x_groq": {**_request(told), **extra}}


MANNER = Manner(
    answer_id="chatcmpl-{}".format,
    call_id=lambda seed: seed[-9:],
    usage=usage,
    thoughts=shown_as("reasoning"),
    top=lambda told: {
        "usage_breakdown": None,
        "system_fingerprint": "fp_sandbox",
        "x_groq": {**_request(told), "seed": 167346302},
        "service_tier": "on_demand",
    },
    chunk=_chunk,
    choice={"logprobs": None},
    pending={"logprobs": None, "finish_reason": None},
    content_beside_calls={},
    usage_in_finish=always,
    usage_apart=never,
)

_TEXT = frozenset({"role", "content"})
RULES = Rules(
    fields=listed(
        "model messages stream stream_options temperature top_p max_tokens "
        "max_completion_tokens stop seed n user tools tool_choice parallel_tool_calls "
        "response_format reasoning_effort reasoning_format include_reasoning service_tier "
        "frequency_penalty presence_penalty store metadata functions function_call "
        "disable_tool_validation include_domains exclude_domains search_settings "
        "compound_custom documents citation_options logprobs top_logprobs logit_bias"
    ),
    message_fields={
        "system": _TEXT,
        "developer": _TEXT,
        "user": _TEXT,
        "assistant": _TEXT | {"tool_calls", "reasoning", "function_call"},
        "tool": _TEXT | {"tool_call_id"},
        "function": _TEXT,
    },
    refuses=(
        Refusal(field="logprobs", accepts=(False,)),
        Refusal(field="top_logprobs"),
        Refusal(field="logit_bias"),
        Refusal(field="n", accepts=(1,), cause=Cause.INVALID, reason="'n' must be 1"),
        Refusal(
            field="include_reasoning",
            unless=lambda body: body.get("reasoning_format") is None,
            cause=Cause.INVALID,
            reason="cannot be used together with 'reasoning_format'",
        ),
    ),
    roles=frozenset({"system", "developer", "user", "assistant", "tool", "function"}),
    json_needs_word=True,
)

MODELS = tuple(
    Model(id=name, context=131_072)
    for name in ("llama-3.3-70b-versatile", "openai/gpt-oss-120b", "qwen/qwen3-32b")
)


def headers(exchange: Exchange, meter: Meter) -> Headers:
    """Requests are counted per day, tokens per minute."""
    return (
        ("x-request-id", f"req_{exchange.id}"),
        *common.openai_limits(exchange, meter, 14_400, 12_000),
    )


def _card(model: Model) -> Json:
    return {
        **listings.openai_card("Groq")(model),
        "active": True,
        "context_window": model.context,
        "public_apps": None,
        "max_completion_tokens": model.output,
    }


PROFILES = (
    Profile(
        slug="groq",
        label="Groq",
        auth=common.BEARER,
        wording=WORDING,
        routes={
            "POST /openai/v1/chat/completions": chat.endpoint(MANNER, RULES),
            "POST /openai/v1/embeddings": embeddings.endpoint(
                embeddings.EmbeddingManner(usual_dimensions=768)
            ),
            "GET /openai/v1/models": listings.all_models(_card),
            "GET /openai/v1/models/{name}": listings.one_model(_card),
        },
        models=MODELS,
        headers=headers,
        first_token_ms=20,
    ),
)
