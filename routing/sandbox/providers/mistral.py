"""Mistral: https://api.mistral.ai/v1. A closed schema, ordered messages, short tool ids."""

import re
from typing import Any

from routing.sandbox.answers import Headers
from routing.sandbox.dialects import embeddings, listings, shapes
from routing.sandbox.dialects.chat import endpoint as chat
from routing.sandbox.dialects.chat.manner import Manner, always, never
from routing.sandbox.dialects.chat.refusals import Rules, call_ids
from routing.sandbox.dialects.told import Told
from routing.sandbox.memory import Meter
from routing.sandbox.names import listed
from routing.sandbox.problems import BAD_GATEWAY, Cause, Flaw, Problem, Wording
from routing.sandbox.profile import Exchange, Json, Model, Profile
from routing.sandbox.providers import common
from routing.sandbox.providers.common import TRY_LATER

INVALID = "invalid_request_error"
_TOOL_ID = re.compile(r"[a-zA-Z0-9]{9}")


def _envelope(problem: Problem, _: str) -> Json:
    return {
        "object": "error",
        "message": problem.message,
        "type": problem.type,
        "param": problem.param,
        "code": problem.code,
        "raw_status_code": problem.status,
    }


def flaw(found: Flaw) -> Problem:
    """422. A field too many is told bare, a wrong value inside the envelope: both were seen."""
    body = common.detail_list(found)
    if found.cause in {Cause.UNKNOWN, Cause.UNSUPPORTED}:
        return Problem(status=422, body=body)
    inner = _envelope(Problem(status=422, type=INVALID), "")
    return Problem(status=422, body={**inner, "message": body})


def _problem(status: int, message: str, kind: str = INVALID, code: str | None = None) -> Problem:
    return Problem(status=status, message=message, type=kind, code=code)


_ORDER = "invalid_request_message_order"

PROBLEMS = {
    "no_key": Problem(status=401, body={"detail": "Unauthorized"}),
    "bad_key": Problem(status=401, body={"detail": "Invalid API Key"}),
    "no_credit": _problem(402, "No payment method: activate payments for this workspace."),
    "403": Problem(status=403, body={"detail": "This API key may not use this resource."}),
    "model_missing": _problem(400, "Invalid model: {model}", "invalid_model", "1500"),
    "retired": _problem(404, "The model {model} does not exist.", "invalid_model", "1501"),
    "malformed": _problem(400, "The body is not valid JSON."),
    "no_route": Problem(status=404, body={"detail": "Not Found"}),
    "tool_id": _problem(
        400,
        "Tool call id was {id} but must be a-z, A-Z, 0-9, with a length of 9.",
        "invalid_function_call",
        "3280",
    ),
    "order": _problem(400, "Unexpected role '{role}' after role '{before}'", _ORDER, "3230"),
    "last_role": _problem(
        400,
        "Expected last role User or Tool (or Assistant with prefix True) for serving but got"
        " {role}",
        _ORDER,
        "3230",
    ),
    "unanswered": _problem(
        400, "Not the same number of function calls and responses", _ORDER, "3230"
    ),
    "400": _problem(400, "Assistant message must have either content or tool_calls, but not none."),
    "400credit": _problem(
        400, "No payment method: activate payments on the billing page of this workspace."
    ),
    "408": _problem(408, "Request timed out.", "server_error"),
    "413": _problem(413, "Request too large."),
    "422": Problem(
        status=422,
        body={
            "detail": [
                {
                    "type": "list_type",
                    "loc": ["body", "messages"],
                    "msg": "Input should be a valid list",
                    "input": "sandbox",
                }
            ]
        },
    ),
    "429": Problem(
        status=429,
        message="Rate limit exceeded",
        type="rate_limited",
        code="1300",
        headers=TRY_LATER,
    ),
    # Our wording: the monthly limit of a workspace.
    "429quota": _problem(
        429, "The spending limit of this workspace is reached.", "usage_limit_exceeded"
    ),
    "498": _problem(498, "Service tier capacity exceeded for this model.", code="3505"),
    "500": _problem(500, "Internal server error", "internal_server_error", "1000"),
    "502": BAD_GATEWAY,
    "503": _problem(503, "Service unavailable, overflow.", "unreachable_backend", "1100"),
    "529": _problem(529, "Service is overloaded.", "unreachable_backend", "1100"),
}

WORDING = Wording(
    envelope=_envelope,
    flaw=flaw,
    named=common.same_for(
        PROBLEMS, **{"401": "bad_key", "402": "no_credit", "404": "retired", "limited": "403"}
    ),
)


def order(exchange: Exchange, messages: list[Json]) -> None:
    """System first, tools answered, nothing of the user right after a tool's result."""
    before = ""
    for index, message in enumerate(messages):
        role = message["role"]
        misplaced = (role == "system" and before not in {"", "system"}) or (
            (before, role) in {("tool", "user"), ("assistant", "assistant"), ("user", "tool")}
        )
        if misplaced:
            raise exchange.problem("order", role=role, before=before)
        if index and role != "tool":
            _check_answered(exchange, messages[:index])
        before = role
    _check_answered(exchange, messages)
    if before not in {"user", "tool"} and not messages[-1].get("prefix"):
        raise exchange.problem("last_role", role=before)


def _check_answered(exchange: Exchange, messages: list[Json]) -> None:
    """As many results as calls."""
    for results, message in enumerate(reversed(messages)):
        if message["role"] != "tool":
            if len(message.get("tool_calls") or ()) != results:
                raise exchange.problem("unanswered")
            return


def tool_ids(exchange: Exchange, messages: list[Json]) -> None:
    """Ids of tool calls have nine letters or digits."""
    for message in messages:
        answered = message.get("tool_call_id")
        for one in [*call_ids(message), *([answered] if isinstance(answered, str) else [])]:
            if not _TOOL_ID.fullmatch(one):
                raise exchange.problem("tool_id", id=one)


def _thoughts(text: str) -> Json:
    """A part of the content."""
    return {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]}


# Cached tokens are spelt in three ways, so that each has models here that use it.
_SPELLINGS = (
    (re.compile("codestral"), lambda count: {"prompt_token_details": {"cached_tokens": count}}),
    (re.compile("devstral"), lambda count: {"num_cached_tokens": count}),
    (re.compile(""), lambda count: {"prompt_tokens_details": {"cached_tokens": count}}),
)


def usage(told: Told) -> Json:
    read = told.draft.cached.read
    spell = next(spell for pattern, spell in _SPELLINGS if pattern.search(told.ask.model))
    return {**common.plain_usage(told), **(spell(read) if read else {})}


MANNER = Manner(
    answer_id=lambda exchange_id: exchange_id.ljust(32, "0"),
    call_id=lambda seed: seed[-9:],
    usage=usage,
    thoughts=_thoughts,
    message={"tool_calls": None},
    pending={"finish_reason": None, "logprobs": None},
    call={},
    calls_have_index=True,
    content_beside_calls={"content": ""},
    calls_with_finish=True,
    usage_in_finish=always,
    usage_apart=never,
)

_SPOKEN = frozenset({"role", "content"})
RULES = Rules(
    fields=listed(
        "model temperature top_p max_tokens stream stop random_seed metadata messages "
        "response_format tools tool_choice presence_penalty frequency_penalty n "
        "prediction parallel_tool_calls prompt_mode reasoning_effort guardrails "
        "prompt_cache_key safe_prompt service_tier"
    ),
    message_fields={
        "system": _SPOKEN,
        "user": _SPOKEN,
        "assistant": _SPOKEN | {"tool_calls", "prefix"},
        "tool": _SPOKEN | {"tool_call_id", "name"},
    },
    roles=frozenset({"system", "user", "assistant", "tool"}),
    temperature=shapes.number(0, 1.5),
    top_p=shapes.number(0.0000001, 1),
    most_stops=64,
    order=(tool_ids, order),
)

MODELS = tuple(
    Model(id=name, label=name, context=131_072)
    for name in ("mistral-small-latest", "mistral-large-latest", "magistral-medium-latest")
)


def headers(exchange: Exchange, meter: Meter) -> Headers:
    return (
        ("mistral-correlation-id", exchange.id),
        ("x-ratelimit-limit-req-minute", "300"),
        ("x-ratelimit-remaining-req-minute", common.left(300, meter.requests)),
        ("x-ratelimit-limit-tokens-minute", "500000"),
        ("x-ratelimit-remaining-tokens-minute", common.left(500_000, meter.tokens)),
        ("x-ratelimit-tokens-query-cost", "100"),
    )


def _card(model: Model) -> Json:
    capabilities = {
        "completion_chat": True,
        "completion_fim": False,
        "function_calling": True,
        "fine_tuning": False,
        "vision": True,
        "classification": False,
    }
    rest: dict[str, Any] = {
        "name": model.id,
        "description": f"{model.id} in the sandbox",
        "max_context_length": model.context,
        "aliases": [],
        "deprecation": None,
        "deprecation_replacement_model": None,
        "default_model_temperature": 0.3,
        "type": "base",
    }
    return {**listings.openai_card("mistralai")(model), "capabilities": capabilities, **rest}


_EMBEDDINGS = embeddings.EmbeddingManner(
    dimensions_field="output_dimension",
    fields=frozenset(
        {"model", "input", "metadata", "output_dimension", "output_dtype", "encoding_format"}
    ),
    usage=lambda tokens: {
        "prompt_tokens": tokens,
        "total_tokens": tokens,
        "completion_tokens": 0,
    },
    top=lambda exchange: {"id": exchange.id.ljust(32, "0")},
)

PROFILES = (
    Profile(
        slug="mistral",
        label="Mistral",
        auth=common.BEARER,
        wording=WORDING,
        routes={
            "POST /v1/chat/completions": chat.endpoint(MANNER, RULES),
            "POST /v1/embeddings": embeddings.endpoint(_EMBEDDINGS),
            "GET /v1/models": listings.all_models(_card),
            "GET /v1/models/{name}": listings.one_model(_card),
        },
        models=MODELS,
        headers=headers,
        first_token_ms=40,
    ),
)
