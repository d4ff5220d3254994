"""What several providers have in common on the wire."""

from collections.abc import Mapping

from routing.sandbox.answers import Headers
from routing.sandbox.dialects.told import Told
from routing.sandbox.memory import Meter
from routing.sandbox.problems import Cause, Flaw, Problem
from routing.sandbox.profile import Exchange, Json

BEARER = ("authorization",)
TRY_LATER: Headers = (("retry-after", "1"),)


def error_object(problem: Problem, _: str) -> Json:
    """`{"error": {message, type, param, code}}`, all four keys present (OpenAI)."""
    return {
        "error": {
            "message": problem.message,
            "type": problem.type,
            "param": problem.param,
            "code": problem.code,
            **problem.more,
        }
    }


def detail(problem: Problem, _: str) -> Json:
    """`{"detail": …}` (FastAPI)."""
    return {"detail": problem.message}


# FastAPI's words for what is wrong with a field.
_DETAIL_TYPES = {
    Cause.MISSING: ("missing", "Field required"),
    Cause.INVALID: ("value_error", "Input is not valid"),
    Cause.UNSUPPORTED: ("extra_forbidden", "Extra inputs are not permitted"),
    Cause.UNKNOWN: ("extra_forbidden", "Extra inputs are not permitted"),
}


def detail_list(flaw: Flaw) -> Json:
    """`{"detail": [{type, loc, msg, input}]}` (FastAPI)."""
    kind, words = _DETAIL_TYPES[flaw.cause]
    words = flaw.reason or words
    return {
        "detail": [{"type": kind, "loc": ["body", *flaw.place], "msg": words, "input": flaw.value}]
    }


def left(limit: int, used: int) -> str:
    """What remains of a limit."""
    return str(max(0, limit - used))


def go_duration(seconds: float) -> str:
    """A duration as Go writes it: `120ms`, `1.5s`, `6m0s`."""
    if seconds < 1:
        return f"{max(0, round(seconds * 1000))}ms"
    minutes, rest = divmod(round(seconds, 2), 60)
    return f"{int(minutes)}m{rest:g}s" if minutes else f"{rest:g}s"


def openai_limits(exchange: Exchange, meter: Meter, requests: int, tokens: int) -> Headers:
    """`x-ratelimit-{limit,remaining,reset}-{requests,tokens}`."""
    resets_in = go_duration(max(0.0, meter.ends_at - exchange.began_at))
    return (
        ("x-ratelimit-limit-requests", str(requests)),
        ("x-ratelimit-limit-tokens", str(tokens)),
        ("x-ratelimit-remaining-requests", left(requests, meter.requests)),
        ("x-ratelimit-remaining-tokens", left(tokens, meter.tokens)),
        ("x-ratelimit-reset-requests", resets_in),
        ("x-ratelimit-reset-tokens", resets_in),
    )


def no_headers(_exchange: Exchange, _meter: Meter) -> Headers:
    return ()


def plain_usage(told: Told) -> Json:
    """Prompt, completion and total; thoughts are in the completion."""
    draft = told.draft
    return {
        "prompt_tokens": draft.prompt,
        "completion_tokens": draft.output,
        "total_tokens": draft.prompt + draft.output,
    }


def same_for(problems: Mapping[str, Problem], **names: str) -> dict[str, Problem]:
    """The problems, and further names for some of them."""
    return {**problems, **{new: problems[old] for new, old in names.items()}}
