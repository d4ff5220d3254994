"""Embeddings of Gemini's own dialect, which are asked for in batches."""

import msgspec

from accounts.errors import InvalidRequest
from billing.usage import Usage, is_count
from routing.chat import ChatReply, ChatRequest
from routing.providers.spec import ModelOffer, Quirks
from routing.wire.embeddings import reply, request
from routing.wire.failed import NotAnAnswer
from routing.wire.sides import Written

_encode = msgspec.json.Encoder().encode


class _Values(msgspec.Struct, frozen=True, gc=False):
    values: list[float]


class _Counts(msgspec.Struct, frozen=True, gc=False):
    prompt: int | None = msgspec.field(default=None, name="promptTokenCount")


class _Batch(msgspec.Struct, frozen=True, gc=False):
    embeddings: list[_Values]
    usage: _Counts = msgspec.field(default=_Counts(), name="usageMetadata")


_decode = msgspec.json.Decoder(_Batch).decode


def write(chat: ChatRequest, model: str, offer: ModelOffer | None, quirks: Quirks) -> Written:
    """One request for each input. Raises InvalidRequest for token ids, which only OpenAI knows."""
    dimensions = chat.body.get("dimensions")
    requests = []
    for place, text in enumerate(request.inputs_of(chat.body)):
        if not isinstance(text, str):
            raise InvalidRequest(
                f"input[{place}]: this provider takes texts, no token ids.", param="input"
            )
        one = {"model": f"models/{model}", "content": {"parts": [{"text": text}]}}
        requests.append(one | ({"outputDimensionality": dimensions} if dimensions else {}))
    path = b"/models/%b:batchEmbedContents" % model.encode()
    adapted = ("user",) if chat.body.get("user") else ()
    return Written(path=path, body=_encode({"requests": requests}), adapted=adapted)


def read(body: bytes, quirks: Quirks) -> ChatReply:
    """A provider's batch in OpenAI's shape. Raises NotAnAnswer."""
    try:
        batch = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise NotAnAnswer("the body is not a batch of embeddings") from None
    vectors = [
        {"object": "embedding", "index": place, "embedding": one.values}
        for place, one in enumerate(batch.embeddings)
    ]
    prompt = batch.usage.prompt
    return reply.reply_of(
        {"data": msgspec.Raw(_encode(vectors))},
        usage=Usage(input_uncached=prompt) if prompt is not None and is_count(prompt) else None,
        model="",
        count=len(vectors),
    )
