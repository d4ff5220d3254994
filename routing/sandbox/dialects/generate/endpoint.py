"""Answers generateContent and its siblings: the verb stands after the model's name."""

import msgspec

from routing.sandbox.answers import EVENTS, JSON, Answer, Stream, Whole
from routing.sandbox.dialects.generate import embedding, reply, request
from routing.sandbox.dialects.told import Told, tell
from routing.sandbox.profile import Endpoint, Exchange


def _told(exchange: Exchange, *, stream: bool = False) -> Told:
    return tell(exchange, request.read(exchange, stream=stream), exchange.memory.cached)


def _whole(exchange: Exchange) -> Answer:
    told = _told(exchange)
    return Whole(body=msgspec.json.encode(reply.write(told)), spent=told.spent)


def _stream(exchange: Exchange) -> Answer:
    told = _told(exchange, stream=True)
    frames = reply.frames(told)
    if exchange.query.get("alt") == "sse":
        return Stream(frames=frames, spent=told.spent, media=EVENTS)
    return Stream(frames=reply.as_array(frames), spent=told.spent, media=JSON)


def _count(exchange: Exchange) -> Answer:
    return Whole(body=msgspec.json.encode({"totalTokens": _told(exchange).draft.prompt}))


GENERATE = Endpoint(answer=_whole)
STREAM = Endpoint(answer=_stream)
COUNT_TOKENS = Endpoint(answer=_count)
EMBED = Endpoint(answer=embedding.one)
EMBED_BATCH = Endpoint(answer=embedding.batch)
