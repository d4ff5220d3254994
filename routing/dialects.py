"""The dialects joined: what each end of a call speaks, and the way between two that differ.

Where both ends speak the same, the dialect's own short cut keeps everything as it came; between
others everything goes through `routing.conversation`. `thoughts` keeps what a caller's dialect
cannot carry.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from accounts.errors import GatewayError, InvalidRequest
from billing.usage import Usage
from routing.chat import ChatReply, ChatRequest
from routing.conversation import (
    Answer,
    Conversation,
    Document,
    HiddenThinking,
    Image,
    Piece,
    Refusal,
    Text,
    Thinking,
    ToolCall,
)
from routing.providers.catalog_index import Offer
from routing.providers.spec import ModelOffer, Quirks
from routing.wire.anthropic import errors as anthropic_errors
from routing.wire.anthropic import reply as anthropic_reply
from routing.wire.anthropic import request as anthropic_request
from routing.wire.anthropic import stream as anthropic_stream
from routing.wire.embeddings import gemini as gemini_embeddings
from routing.wire.embeddings import reply as embeddings_reply
from routing.wire.embeddings import request as embeddings_request
from routing.wire.gemini import reply as gemini_reply
from routing.wire.gemini import request as gemini_request
from routing.wire.gemini import stream as gemini_stream
from routing.wire.openai import errors as openai_errors
from routing.wire.openai import pieces as openai_pieces
from routing.wire.openai import reply as openai_reply
from routing.wire.openai import request as openai_request
from routing.wire.openai import stream as openai_stream
from routing.wire.openai import translated_reply as openai_translated_reply
from routing.wire.openai import translated_request as openai_translated_request
from routing.wire.responses import errors as responses_errors
from routing.wire.responses import reply as responses_reply
from routing.wire.responses import request as responses_request
from routing.wire.responses import stream as responses_stream
from routing.wire.sides import Envelope, Reader, Relay, Writer, Written
from routing.wire.translation import Translation

_CONTENT = (Text, ToolCall, Refusal, Image, Document)


class WriteError(Protocol):
    def __call__(self, error: GatewayError, *, call_id: str) -> bytes: ...


class WriteConversation(Protocol):
    def __call__(
        self,
        conversation: Conversation,
        *,
        model: str,
        offer: ModelOffer | None,
        quirks: Quirks,
        stream: bool,
    ) -> Written: ...


class WriteAnswer(Protocol):
    def __call__(
        self, answer: Answer, *, envelope: Envelope, usage: Usage, cost: Decimal | None
    ) -> bytes: ...


class WriteReply(Protocol):
    def __call__(
        self, reply: ChatReply, *, body_id: str, usage: Usage, cost: Decimal | None
    ) -> bytes: ...


class MakeRelay(Protocol):
    def __call__(self, *, body_id: str, wants_usage: bool, quirks: Quirks) -> Relay: ...


@dataclass(frozen=True)
class CallerSide:
    """How a caller of a dialect is read and answered."""

    body_prefix: str  # of the ids of answers
    converse: Callable[[ChatRequest], Conversation]
    write_answer: WriteAnswer
    writer: Callable[[Envelope], Writer]
    write_error: WriteError
    write_error_event: WriteError
    names: dict[str, str]  # what OpenAI's parameters are called here


@dataclass(frozen=True)
class ProviderSide:
    """How a provider of a dialect is asked and read."""

    write: WriteConversation
    read: Callable[[bytes, Quirks], Answer]
    reader: Callable[[Quirks], Reader]


@dataclass(frozen=True)
class ShortCut:
    """Both ends speak this dialect: the provider's words, with as little change as can be."""

    write: Callable[[ChatRequest, str, ModelOffer | None, Quirks], Written]
    read: Callable[[bytes, Quirks], ChatReply]
    write_reply: WriteReply
    relay: MakeRelay


CALLERS = {
    "openai": CallerSide(
        body_prefix="chatcmpl-",
        converse=openai_translated_request.converse,
        write_answer=openai_translated_reply.write_answer,
        writer=openai_pieces.Writer,
        write_error=openai_errors.write,
        write_error_event=openai_errors.write_event,
        names={},
    ),
    "anthropic": CallerSide(
        body_prefix="msg_",
        converse=anthropic_request.converse,
        write_answer=anthropic_reply.write_answer,
        writer=anthropic_stream.Writer,
        write_error=anthropic_errors.write,
        write_error_event=anthropic_errors.write_event,
        names=anthropic_request.NAMES,
    ),
    "responses": CallerSide(
        body_prefix="resp_",
        converse=responses_request.converse,
        write_answer=responses_reply.write_answer,
        writer=responses_stream.Writer,
        write_error=responses_errors.write,
        write_error_event=responses_errors.write_event,
        names={
            "max_completion_tokens": "max_output_tokens",
            "max_tokens": "max_output_tokens",
            "response_format": "text",
            "reasoning_effort": "reasoning",
            "thinking": "reasoning",
            "messages": "input",
        },
    ),
}
PROVIDERS = {
    "openai": ProviderSide(
        write=openai_translated_request.write_conversation,
        read=openai_translated_reply.read_answer,
        reader=openai_pieces.Reader,
    ),
    "anthropic": ProviderSide(
        write=anthropic_request.write_conversation,
        read=anthropic_reply.read_answer,
        reader=anthropic_stream.Reader,
    ),
    "gemini": ProviderSide(
        write=gemini_request.write_conversation,
        read=gemini_reply.read_answer,
        reader=gemini_stream.Reader,
    ),
}
SHORT_CUTS = {
    "openai": ShortCut(
        write=openai_request.write,
        read=openai_reply.read,
        write_reply=openai_reply.write,
        relay=openai_stream.Relay,
    ),
    "anthropic": ShortCut(
        write=anthropic_request.write,
        read=anthropic_reply.read,
        write_reply=anthropic_reply.write,
        relay=anthropic_stream.Relay,
    ),
}


@dataclass(frozen=True)
class Embedder:
    """How a provider of a dialect is asked for embeddings."""

    write: Callable[[ChatRequest, str, ModelOffer | None, Quirks], Written]
    read: Callable[[bytes, Quirks], ChatReply]


EMBEDDERS = {
    "openai": Embedder(embeddings_request.write, embeddings_reply.read),
    "gemini": Embedder(gemini_embeddings.write, gemini_embeddings.read),
}


def must_translate(chat: ChatRequest, offers: Iterable[Offer]) -> bool:
    """Whether none of these offers' providers speaks the caller's dialect."""
    return chat.kind == "chat" and all(offer.provider.wire != chat.dialect for offer in offers)


def write_request(
    chat: ChatRequest, offer: Offer, conversation: Callable[[], Conversation]
) -> Written:
    """What the offer's provider is sent. `conversation` is asked for only if it is needed."""
    quirks = offer.provider.quirks_of(offer.model)
    wire = offer.provider.wire
    if chat.kind == "embedding":
        return _embedder(offer).write(chat, offer.model_id, offer.model, quirks)
    if chat.dialect == wire:
        return SHORT_CUTS[wire].write(chat, offer.model_id, offer.model, quirks)
    written = PROVIDERS[wire].write(
        conversation(),
        model=offer.model_id,
        offer=offer.model,
        quirks=quirks,
        stream=chat.stream,
    )
    names = CALLERS[chat.dialect].names
    told = tuple(dict.fromkeys(names.get(name, name) for name in written.adapted))
    return Written(path=written.path, body=written.body, adapted=told, headers=written.headers)


def read_reply(chat: ChatRequest, offer: Offer, body: bytes) -> ChatReply:
    """A provider's whole answer. Raises NotAnAnswer."""
    quirks, wire = offer.provider.quirks_of(offer.model), offer.provider.wire
    if chat.kind == "embedding":
        return _embedder(offer).read(body, quirks)
    if _keeps_answers(chat, offer, quirks):
        return SHORT_CUTS[wire].read(body, quirks)
    answer = PROVIDERS[wire].read(body, quirks)
    return ChatReply(
        dialect=chat.dialect,
        content={},
        answer=answer,
        model=answer.model,
        usage=answer.usage,
        finish_reason=answer.finish,
        is_empty=not any(isinstance(block, _CONTENT) for block in answer.blocks),
        output_bytes=_size(answer),
        reported_cost=answer.reported_cost,
    )


def write_reply(
    chat: ChatRequest,
    reply: ChatReply,
    *,
    body_id: str,
    model: str,
    usage: Usage,
    cost: Decimal | None,
) -> bytes:
    """The caller's whole answer, of this model."""
    if chat.kind == "embedding":
        encoding = str(chat.body.get("encoding_format") or "float")
        return embeddings_reply.write(reply, encoding=encoding, model=model, usage=usage, cost=cost)
    if reply.answer is None:
        write = SHORT_CUTS[chat.dialect].write_reply
        return write(reply, body_id=body_id, usage=usage, cost=cost)
    envelope = envelope_of(chat, body_id, model)
    write_answer = CALLERS[chat.dialect].write_answer
    return write_answer(reply.answer, envelope=envelope, usage=usage, cost=cost)


def relay(
    chat: ChatRequest, offer: Offer, body_id: str, see: Callable[[Piece], None] | None = None
) -> Relay:
    """The way of a stream from this offer's provider to the caller."""
    quirks, wire = offer.provider.quirks_of(offer.model), offer.provider.wire
    if _keeps_answers(chat, offer, quirks):
        make = SHORT_CUTS[wire].relay
        return make(body_id=body_id, wants_usage=chat.wants_usage, quirks=quirks)
    envelope = envelope_of(chat, body_id, offer.model_id)
    return Translation(PROVIDERS[wire].reader(quirks), CALLERS[chat.dialect].writer(envelope), see)


def envelope_of(chat: ChatRequest, body_id: str, model: str) -> Envelope:
    return Envelope(
        body_id=body_id,
        model=model,
        created=int(time.time()),
        wants_usage=chat.wants_usage,
        input_tokens=chat.input_tokens,
        request=chat.body,
    )


def write_error(dialect: str, error: GatewayError, *, call_id: str) -> bytes:
    """An error as a caller of this dialect knows it."""
    return CALLERS[dialect].write_error(error, call_id=call_id)


def write_error_event(dialect: str, error: GatewayError, *, call_id: str) -> bytes:
    """The event that ends a stream which has failed."""
    return CALLERS[dialect].write_error_event(error, call_id=call_id)


def _embedder(offer: Offer) -> Embedder:
    """Raises InvalidRequest where the provider has no embeddings at all."""
    try:
        return EMBEDDERS[offer.provider.wire]
    except KeyError:
        raise InvalidRequest(f"{offer.provider.label} has no embeddings.", param="model") from None


def _keeps_answers(chat: ChatRequest, offer: Offer, quirks: Quirks) -> bool:
    """Whether the caller gets the provider's own answer: it does if that is in its dialect."""
    return chat.dialect == offer.provider.wire and not quirks.answers_in_parts


def _size(answer: Answer) -> int:
    """About how many bytes the model has written."""
    size = 0
    for block in answer.blocks:
        if isinstance(block, Text | Thinking | Refusal):
            size += len(block.text)
        elif isinstance(block, ToolCall):
            size += len(block.arguments)
        elif isinstance(block, HiddenThinking):
            size += len(block.data) // 2
    return size
