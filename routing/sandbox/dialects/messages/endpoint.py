"""Answers messages, and counts their tokens."""

import msgspec

from routing.sandbox.answers import Answer, Stream, Whole
from routing.sandbox.dialects.messages import reply, request, stream
from routing.sandbox.dialects.told import tell
from routing.sandbox.profile import Endpoint, Exchange


def _answer(exchange: Exchange) -> Answer:
    told = tell(exchange, request.read(exchange), exchange.memory.marked)
    if told.ask.stream:
        return Stream(frames=stream.frames(told), spent=told.spent)
    return Whole(body=msgspec.json.encode(reply.write(told)), spent=told.spent)


def _count(exchange: Exchange) -> Answer:
    ask = request.read(exchange, counts_only=True)
    return Whole(body=msgspec.json.encode({"input_tokens": ask.prompt_tokens}))


MESSAGES = Endpoint(answer=_answer)
COUNT_TOKENS = Endpoint(answer=_count)
