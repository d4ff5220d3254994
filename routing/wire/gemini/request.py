"""Requests for providers of Gemini's native dialect: generateContent of v1beta, from the middle."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import msgspec

from routing.conversation import Conversation, Json, Turn
from routing.providers.spec import ModelOffer, Quirks
from routing.wire.gemini import schema, thinking, tools, turns
from routing.wire.sides import Written

DIALECT = "gemini"
MOST_STOPS = 5
_SEEDS = 2**31  # a seed is an int32

_encode = msgspec.json.Encoder().encode
# What is the same as not to say it, so that leaving it out changes nothing.
_USUAL: dict[str, tuple[Any, ...]] = {
    "service_tier": ("auto", "default", "standard_only"), "store": (False,), "logprobs": (False,),
    "verbosity": ("medium",), "logit_bias": ({},), "metadata": ({},),
}  # fmt: skip
_PENALTIES = {"presence_penalty": "presencePenalty", "frequency_penalty": "frequencyPenalty"}


def write_conversation(
    conversation: Conversation,
    *,
    model: str,
    offer: ModelOffer | None,
    quirks: Quirks,
    stream: bool,
) -> Written:
    """The path and the body. Raises InvalidRequest for what Gemini can never be told."""
    adapted = list(conversation.untranslatable)
    if not conversation.turns:  # contents may not be empty: a lone instruction is what is asked
        lone = Turn("user", conversation.system)
        conversation = msgspec.structs.replace(conversation, turns=(lone,), system=())
    config = _config(conversation, offer, quirks, adapted)
    instructions = [{"text": text} for text in _instructions(conversation, config, quirks, adapted)]
    body: Json = {"contents": turns.write(conversation, quirks, adapted)}
    if instructions:
        body["systemInstruction"] = {"parts": instructions}
    tools.write(conversation, body, adapted)
    if config:
        body["generationConfig"] = config
    adapted += _unheard(conversation)
    verb = ":streamGenerateContent?alt=sse" if stream else ":generateContent"
    return Written(
        path=f"/models/{quote(model.removeprefix('models/'), safe='')}{verb}".encode(),
        body=_encode(body),
        adapted=tuple(dict.fromkeys(adapted)),
    )


def _config(
    conversation: Conversation, offer: ModelOffer | None, quirks: Quirks, adapted: list[str]
) -> Json:
    config: Json = {}
    for name, field, value in _sampling(conversation):
        if value is None:
            continue
        if name in quirks.drop:
            adapted.append(name)
        else:
            config[field] = value
    most = quirks.max_temperature
    if most is not None and config.get("temperature", 0) > most:
        config["temperature"] = most
        adapted.append("temperature")
    if config.get("seed", 0) not in range(-_SEEDS, _SEEDS):
        config["seed"] %= _SEEDS
        adapted.append("seed")
    if conversation.stop:
        stops = list(filter(None, conversation.stop))[: quirks.max_stop or MOST_STOPS]
        config["stopSequences"] = stops
        if len(stops) != len(conversation.stop):
            adapted.append("stop")
    _add_thinking(conversation, offer, quirks, config, adapted)
    return config


def _sampling(conversation: Conversation) -> Iterator[tuple[str, str, Any]]:
    yield "temperature", "temperature", conversation.temperature
    yield "top_p", "topP", conversation.top_p
    yield "top_k", "topK", conversation.top_k
    yield "seed", "seed", conversation.seed
    for name, field in _PENALTIES.items():
        yield name, field, conversation.others.get(name) or None


def _add_thinking(
    conversation: Conversation,
    offer: ModelOffer | None,
    quirks: Quirks,
    config: Json,
    adapted: list[str],
) -> None:
    """How to think, and the maximum with room for it."""
    planned = thinking.plan(conversation, quirks, adapted)
    if planned.config:
        config["thinkingConfig"] = planned.config
    asked = conversation.max_tokens
    if asked is None:
        return
    most = offer.output if offer else None
    config["maxOutputTokens"] = min(asked + planned.room, most or asked + planned.room)
    if config["maxOutputTokens"] != asked:
        adapted.append("max_tokens")


def _instructions(
    conversation: Conversation, config: Json, quirks: Quirks, adapted: list[str]
) -> Iterator[str]:
    """What the system says; and the form of the answer, where it can only be asked for in words."""
    yield from (block.text for block in conversation.system if block.text)
    wanted = conversation.format
    if wanted is None:
        return
    if not conversation.tools or quirks.format_with_tools:
        config["responseMimeType"] = "application/json"
        if wanted.schema:
            config["responseJsonSchema"] = schema.fitted(wanted.schema)
        return
    adapted.append("response_format")
    text = "When you answer without calling a tool, answer with JSON and nothing else."
    if wanted.schema:
        text += f" The JSON must match this JSON Schema: {_encode(wanted.schema).decode()}"
    yield text


def _unheard(conversation: Conversation) -> Iterator[str]:
    """Parameters that have no counterpart."""
    if conversation.user:
        yield "user"
    if conversation.n not in {None, 1}:  # an answer has one text
        yield "n"
    for name, value in conversation.others.items():
        if name not in _PENALTIES and value is not None and value not in _USUAL.get(name, ()):
            yield name
