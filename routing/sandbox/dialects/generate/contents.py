"""Gemini's turns: their roles and parts, the answers to calls, the signatures of thoughts."""

import base64
import hashlib
import re
from typing import Any

import msgspec

from routing.sandbox.dialects.generate import fields
from routing.sandbox.problems import Cause
from routing.sandbox.profile import Exchange, Json

# Instead of a signature, for calls that another provider made (ai.google.dev, thought signatures).
DUMMIES = frozenset({"skip_thought_signature_validator", "context_engineering_is_the_way_to_go"})

_WANTS_SIGNATURES = re.compile(r"gemini-[3-9]")
_ROLES = frozenset({"user", "model", "function"})


def signature(seed: str) -> str:
    """The signature of a thought: opaque to the caller."""
    return base64.b64encode(hashlib.blake2b(seed.encode(), digest_size=24).digest()).decode()


def wants_signatures(model: str) -> bool:
    return bool(_WANTS_SIGNATURES.search(model))


def read(exchange: Exchange, given: Any, model: str) -> list[Json]:
    """The turns, with the names of their fields in camel case. Raises Refused."""
    if not isinstance(given, list) or not given:
        raise exchange.problem("no_contents")
    turns = [_turn(exchange, content, index) for index, content in enumerate(given)]
    _check_answers(exchange, turns)
    if wants_signatures(model):
        _check_signatures(exchange, turns)
    return turns


def _turn(exchange: Exchange, content: Any, index: int) -> Json:
    turn = fields.read(exchange, content, fields.CONTENT, "contents", index)
    if turn.get("role", "user") not in _ROLES:
        raise exchange.problem("bad_role")
    parts = turn.get("parts")
    if not isinstance(parts, list) or not parts:
        raise exchange.problem("no_parts", index=str(index))
    place = ("contents", index, "parts")
    return {
        "role": turn.get("role", "user"),
        "parts": [
            fields.read(exchange, part, fields.PART, *place, number)
            for number, part in enumerate(parts)
        ],
    }


def _check_answers(exchange: Exchange, turns: list[Json]) -> None:
    """As many function responses as the turn before has calls."""
    calls = 0
    for turn in turns:
        responses = sum("functionResponse" in part for part in turn["parts"])
        if responses != calls:
            raise exchange.problem("unanswered_calls")
        calls = sum("functionCall" in part for part in turn["parts"])
        for part in turn["parts"]:
            _check_response(exchange, part)
    if calls:
        raise exchange.problem("unanswered_calls")


def _check_response(exchange: Exchange, part: Json) -> None:
    answer = part.get("functionResponse")
    if answer is None:
        return
    if not isinstance(answer, dict) or not answer.get("name"):
        raise exchange.problem("unnamed_response")
    if not isinstance(answer.get("response", {}), dict):
        raise exchange.refuse(Cause.INVALID, "response", reason="expected an object")


def _check_signatures(exchange: Exchange, turns: list[Json]) -> None:
    """In the turn under way, the first of the calls made together carries its signature."""
    own_words = [i for i, t in enumerate(turns) if t["role"] == "user" and _has_text(t)]
    start = own_words[-1] if own_words else 0
    for position, turn in enumerate(turns[start:], start):
        calls = [part for part in turn["parts"] if "functionCall" in part]
        if calls and not _is_signature(calls[0].get("thoughtSignature")):
            name = str(calls[0]["functionCall"].get("name"))
            raise exchange.problem("no_signature", name=name, position=str(position + 1))


def _is_signature(value: Any) -> bool:
    return isinstance(value, str) and (value in DUMMIES or len(value) == len(signature("")))


def _has_text(turn: Json) -> bool:
    return any(part.get("text") for part in turn["parts"])


def last_text(turns: list[Json]) -> str:
    """The user's last words."""
    for turn in reversed(turns):
        texts = [part["text"] for part in turn["parts"] if isinstance(part.get("text"), str)]
        if turn["role"] == "user" and texts:
            return " ".join(texts)
    return ""


def tool_result(turns: list[Json]) -> str | None:
    """What the functions said, if the conversation ends with that."""
    answers = [
        part["functionResponse"] for part in turns[-1]["parts"] if "functionResponse" in part
    ]
    if not answers:
        return None
    texts = [_told(answer.get("response")) for answer in answers]
    return " ".join(texts)


def _told(response: Any) -> str:
    """The text of a response: its `result` or `output` where it has one, else all of it."""
    if isinstance(response, dict):
        for name in ("result", "output"):
            if isinstance(response.get(name), str):
                return str(response[name])
    return msgspec.json.encode(response).decode()
