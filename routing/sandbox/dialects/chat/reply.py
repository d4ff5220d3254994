"""A whole chat completion."""

from collections.abc import Sequence
from typing import Any

from routing.sandbox.dialects.chat.manner import Manner, called
from routing.sandbox.dialects.told import Told
from routing.sandbox.profile import Json
from routing.sandbox.writing.counting import pieces
from routing.sandbox.writing.draft import Choice, Finish

FINISHES = {
    Finish.END: "stop",
    Finish.STOP_SEQUENCE: "stop",
    Finish.LENGTH: "length",
    Finish.TOOLS: "tool_calls",
}


def write(told: Told, manner: Manner) -> Json:
    """The body of the answer."""
    exchange = told.exchange
    return {
        "id": manner.answer_id(exchange.id),
        "object": "chat.completion",
        "created": exchange.created,
        "model": told.ask.model,
        "choices": [
            _choice(told, manner, index, choice) for index, choice in enumerate(told.draft.choices)
        ],
        "usage": manner.usage(told),
        **manner.top(told),
    }


def _choice(told: Told, manner: Manner, index: int, choice: Choice) -> Json:
    fields: Json = {"index": index, "message": _message(told, manner, choice), **manner.choice}
    if manner.has_logprobs and told.ask.top_logprobs is not None:
        fields["logprobs"] = logprobs(pieces(choice.text), told.ask.top_logprobs)
    return {**fields, **manner.finished(FINISHES[choice.finish])}


def _message(told: Told, manner: Manner, choice: Choice) -> Json:
    message: Json = {"role": "assistant", "content": choice.text, **manner.message}
    if choice.calls:
        del message["content"]
        message |= manner.content_beside_calls
        message["tool_calls"] = [
            manner.call_fields(told.exchange.id, call) | called(call, call.arguments)
            for call in choice.calls
        ]
    if choice.thoughts and told.ask.shows_thoughts:
        message |= _with_thoughts(manner.thoughts(choice.thoughts), choice.text)
    return message


def _with_thoughts(fields: Json, text: str) -> Json:
    """The fields that show thoughts; where they are parts of the content, the text follows."""
    content = fields.get("content")
    if not isinstance(content, list):
        return fields
    return {**fields, "content": [*content, {"type": "text", "text": text}] if text else content}


def logprobs(tokens: Sequence[str], top: int) -> Json:
    """Likelihoods of the tokens: invented, and the same each time."""
    return {"content": [_logprob(token, top) for token in tokens], "refusal": None}


def _logprob(token: str, top: int) -> Json:
    return {
        **_likelihood(token, 0),
        "top_logprobs": [_likelihood(token if rank == 0 else f"{token}{rank}", rank)
                         for rank in range(top)],
    }  # fmt: skip


def _likelihood(token: str, rank: int) -> dict[str, Any]:
    return {
        "token": token,
        "logprob": -0.125 - 2.5 * rank,
        "bytes": list(token.encode("utf-8", "surrogatepass")),
    }
