"""DeepInfra: https://api.deepinfra.com/v1/openai. FastAPI's errors, nulls, its own cost."""

import re
from typing import Any

from routing.sandbox.dialects import embeddings, listings, shapes
from routing.sandbox.dialects.chat import endpoint as chat
from routing.sandbox.dialects.chat.manner import (
    Manner,
    shown_as,
    unless_declined,
)
from routing.sandbox.dialects.chat.refusals import Refusal, Rules
from routing.sandbox.dialects.told import Told
from routing.sandbox.problems import BAD_GATEWAY, Cause, Flaw, Problem, Wording
from routing.sandbox.profile import Exchange, Json, Model, Profile
from routing.sandbox.providers import common

INPUT_PRICE, CACHED_PRICE, OUTPUT_PRICE = 0.30, 0.075, 0.50  # USD per million tokens

# There, reasoning stands beside the completion and not in it (client tables, 2026-11).
_COUNTS_THOUGHTS_APART = re.compile(r"gemini|gemma", re.IGNORECASE)


def flaw(found: Flaw) -> Problem:
    return Problem(status=422, body=common.detail_list(found))


def _detail(status: int, detail: Any) -> Problem:
    return Problem(status=status, body={"detail": detail})


def _error(status: int, text: str) -> Problem:
    return _detail(status, {"error": text})


_NO_MONEY = (
    "inference prohibited, please enter a payment method or add balance at"
    " https://deepinfra.com/dash/billing"
)

PROBLEMS = {
    "no_key": _error(403, "Not authenticated"),
    "bad_key": _detail(401, "User is not authorized to access this resource"),
    "no_credit": _error(402, _NO_MONEY),
    "403": _detail(403, "This token may not be used for that."),
    "model_missing": _error(404, "Model is not available"),
    "malformed": _error(400, "There was an error parsing the body"),
    "no_route": _detail(404, "Not Found"),
    "400": _error(400, "The conversation has to end with a message of the user."),
    "400credit": _error(400, _NO_MONEY),
    "408": _error(408, "Request timed out"),
    "413": _error(413, "Request entity too large"),
    "422": _detail(
        422, [{"loc": ["body", "messages"], "msg": "value is not valid", "type": "value_error"}]
    ),
    # OpenAI's envelope here: seen by users in 2026.
    "429": Problem(status=429, body={"error": {"message": "Model busy, retry later"}}),
    "429quota": _error(429, "inference prohibited, the spending limit of this account is reached"),
    "498": _error(498, "Capacity exceeded"),
    "500": _error(500, "Internal server error"),
    "502": BAD_GATEWAY,
    "503": _error(503, "Service is overloaded, retry later"),
    "529": _error(529, "Service is overloaded, retry later"),
}

WORDING = Wording(
    envelope=common.detail,
    flaw=flaw,
    named=common.same_for(
        PROBLEMS,
        **{"401": "bad_key", "402": "no_credit", "404": "model_missing", "limited": "403"},
    ),
)


def usage(told: Told) -> Json:
    draft = told.draft
    apart = bool(_COUNTS_THOUGHTS_APART.search(told.ask.model))
    completion = draft.visible if apart else draft.output
    fresh = draft.prompt - draft.cached.read
    cost = fresh * INPUT_PRICE + draft.cached.read * CACHED_PRICE + draft.output * OUTPUT_PRICE
    figures: Json = {
        "prompt_tokens": draft.prompt,
        "completion_tokens": completion,
        "total_tokens": draft.prompt + completion,
        "estimated_cost": round(cost / 1e6, 12),
        "prompt_tokens_details": None,
    }
    if draft.cached.read:
        figures["prompt_tokens_details"] = {"cached_tokens": draft.cached.read}
    if draft.thoughts:
        figures["completion_tokens_details"] = {"reasoning_tokens": draft.thoughts}
    return figures


MANNER = Manner(
    answer_id="chatcmpl-{}".format,
    call_id=lambda seed: f"call_{seed[-22:]}",
    usage=usage,
    thoughts=shown_as("reasoning_content"),
    message={"reasoning_content": None, "name": None, "tool_calls": None},
    choice={"logprobs": None},
    pending={"logprobs": None, "finish_reason": None},
    usage_apart=unless_declined,
    comments=(b": ping - 2026-11-20 12:00:00.000000+00:00\n\n",),
    has_logprobs=True,
)

RULES = Rules(
    refuses=(
        Refusal(
            field="tool_choice",
            accepts=("auto", "none"),
            cause=Cause.INVALID,
            reason="Input should be 'auto' or 'none'",
        ),
    ),
    roles=frozenset({"system", "user", "assistant", "tool"}),
    top_p=shapes.number(0.0000001, 1),
    most_stops=16,
    most_choices=4,
    stream_options=False,
    text_for_tools=True,
)

MODELS = tuple(
    Model(id=name, label=name, context=163_840)
    for name in (
        "deepseek-ai/DeepSeek-V3.2",
        "meta-llama/Llama-3.3-70B-Instruct",
        "Qwen/Qwen3-235B-A22B-Instruct-2507",
    )
)


def _card(model: Model) -> Json:
    return {
        **listings.openai_card("deepinfra", dated=False)(model),
        "root": model.id,
        "parent": None,
        "metadata": {
            "description": model.label,
            "context_length": model.context,
            "max_tokens": model.context,
            "pricing": {
                "input_tokens": INPUT_PRICE,
                "output_tokens": OUTPUT_PRICE,
                "cache_read_tokens": CACHED_PRICE,
            },
            "tags": ["chat"],
        },
    }


def _me(_: Exchange) -> Json:
    return {
        "uid": "github:sandbox",
        "email": "sandbox@example.com",
        "email_verified": True,
        "account_setup": True,
        "display_name": "Sandbox",
        "is_admin": False,
        "is_team_account": False,
    }


# Without a key the list is open to all; a wrong one is refused (observed in 2026-09).
_LIST = listings.all_models(_card, needs_key=False)
_CHAT = chat.endpoint(MANNER, RULES)
_EMBEDDINGS = embeddings.endpoint(embeddings.EmbeddingManner())

PROFILES = (
    Profile(
        slug="deepinfra",
        label="DeepInfra",
        auth=common.BEARER,
        wording=WORDING,
        routes={
            "POST /v1/openai/chat/completions": _CHAT,
            "POST /v1/chat/completions": _CHAT,
            "POST /v1/openai/embeddings": _EMBEDDINGS,
            "POST /v1/embeddings": _EMBEDDINGS,
            "GET /v1/openai/models": _LIST,
            "GET /v1/models": _LIST,
            "GET /v1/me": listings.fixed(_me),
        },
        models=MODELS,
        headers=common.no_headers,
        first_token_ms=50,
    ),
)
