"""NVIDIA's hosted models: https://integrate.api.nvidia.com/v1. Errors of two kinds of server."""

from typing import Any

from routing.sandbox.dialects import embeddings, listings
from routing.sandbox.dialects.chat import endpoint as chat
from routing.sandbox.dialects.chat.manner import Manner, if_asked, shown_as
from routing.sandbox.dialects.chat.refusals import Rules
from routing.sandbox.names import listed
from routing.sandbox.problems import BAD_GATEWAY, Cause, Flaw, Problem, Wording
from routing.sandbox.profile import Json, Model, Profile
from routing.sandbox.providers import common

_TITLES = {
    401: "Unauthorized", 402: "Payment Required", 403: "Forbidden", 404: "Not Found",
    408: "Request Timeout", 413: "Content Too Large", 429: "Too Many Requests",
    498: "Capacity Exceeded", 500: "Internal Server Error", 503: "Service Unavailable",
    529: "Overloaded",
}  # fmt: skip


def _gate(problem: Problem, _: str) -> Json:
    """The door in front of the models: `{"status", "title", "detail"}` (users' reports of 2026)."""
    body: Json = {"status": problem.status, "title": _TITLES[problem.status]}
    return {**body, "detail": problem.message} if problem.message else body


def flaw(found: Flaw) -> Problem:
    """The model's own server (vLLM): the list of what is wrong, as Python prints it."""
    if found.cause in {Cause.UNKNOWN, Cause.UNSUPPORTED}:
        place = ("body", *found.place)
        text = f"[{{'type': 'extra_forbidden', 'loc': {place!r}, 'msg': 'Extra inputs are not"
        return Problem(status=400, body={"error": f"{text} permitted'}}]"})
    reason = found.reason or "Field required"
    return _vllm(400, f"{found.dotted}: {reason}")


def _vllm(status: int, message: str) -> Problem:
    error: dict[str, Any] = {
        "message": message,
        "type": "BadRequestError",
        "param": None,
        "code": status,
    }
    return Problem(status=status, body={"error": error})


def _problem(status: int, detail: str = "") -> Problem:
    return Problem(status=status, message=detail)


_EXPIRED = "Account 'sandbox': Cloud credits expired - Please contact NVIDIA representatives"

PROBLEMS = {
    "no_key": _problem(401, "Header of type `authorization` was missing"),
    "bad_key": _problem(403, "Authorization failed"),
    "no_credit": _problem(402, _EXPIRED),
    "401": _problem(401, "Authentication failed"),
    "403": _problem(403, "Your account may not use this function"),
    "model_missing": _problem(
        404, "Function '6f1c0d7e-0000-4000-8000-5a4db0c5a4db': Not found for account 'sandbox'"
    ),
    "malformed": _vllm(400, "The request body is not valid JSON"),
    "no_route": Problem(status=404, page="404 page not found\n", media="text/plain"),
    "400": _vllm(400, "Conversation roles must alternate user/assistant/user/assistant/..."),
    "400credit": _vllm(400, "Cloud credits expired: no credits are left for this account"),
    "408": _problem(408, "The request timed out"),
    "413": _problem(413, "The request is larger than allowed"),
    "422": Problem(
        status=422,
        body={
            "detail": [
                {"type": "value_error", "loc": ["body", "messages"], "msg": "Value is not valid"}
            ]
        },
    ),
    "429": _problem(429),
    # Our wording: NVIDIA tells of used-up credits with 402.
    "429quota": _problem(429, "Cloud credits expired: no credits are left for this account"),
    "498": _problem(498),
    "500": _problem(500, "Inference error"),
    "502": BAD_GATEWAY,
    "503": _problem(503, "ResourceExhausted: Worker local total request limit reached"),
    "529": _problem(529),
}

WORDING = Wording(
    envelope=_gate,
    flaw=flaw,
    named=common.same_for(
        PROBLEMS, **{"402": "no_credit", "404": "model_missing", "limited": "403"}
    ),
)

MANNER = Manner(
    answer_id="chatcmpl-{}".format,
    call_id=lambda seed: f"chatcmpl-tool-{seed}",
    usage=common.plain_usage,
    thoughts=shown_as("reasoning_content"),
    message={"reasoning_content": None, "tool_calls": []},
    delta={"reasoning_content": None},
    choice={"logprobs": None},
    pending={"logprobs": None, "finish_reason": None},
    whole_calls=False,
    usage_apart=if_asked,
    has_logprobs=True,
)

RULES = Rules(
    fields=listed(
        "model messages stream stream_options temperature top_p max_tokens "
        "max_completion_tokens stop seed n frequency_penalty presence_penalty logit_bias "
        "logprobs top_logprobs tools tool_choice parallel_tool_calls response_format "
        "reasoning_effort chat_template_kwargs user top_k min_p repetition_penalty nvext "
        "guided_json"
    ),
    roles=frozenset({"system", "developer", "user", "assistant", "tool"}),
)

MODELS = tuple(
    Model(id=name)
    for name in (
        "meta/llama-3.3-70b-instruct",
        "nvidia/nemotron-3-super-120b-a12b",
        "openai/gpt-oss-120b",
    )
)


def _card(model: Model) -> Json:
    owner = model.id.partition("/")[0]
    return {**listings.openai_card(owner)(model), "root": model.id, "parent": None}


PROFILES = (
    Profile(
        slug="nvidia",
        label="NVIDIA",
        auth=common.BEARER,
        wording=WORDING,
        routes={
            "POST /v1/chat/completions": chat.endpoint(MANNER, RULES),
            # `dimensions` is refused (users' reports of 2026-04).
            "POST /v1/embeddings": embeddings.endpoint(
                embeddings.EmbeddingManner(
                    fields=frozenset(
                        {"model", "input", "encoding_format", "input_type", "truncate", "user"}
                    )
                )
            ),
            # Public, like OpenRouter's.
            "GET /v1/models": listings.all_models(_card, needs_key=False, checks_key=False),
        },
        models=MODELS,
        headers=common.no_headers,
        first_token_ms=50,
    ),
)
