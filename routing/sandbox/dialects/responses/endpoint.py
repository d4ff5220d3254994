"""Answers responses."""

import msgspec

from routing.sandbox.answers import Answer, Stream, Whole
from routing.sandbox.dialects.responses import reply, request, stream
from routing.sandbox.dialects.told import tell
from routing.sandbox.profile import Endpoint, Exchange


def _answer(exchange: Exchange) -> Answer:
    told = tell(exchange, request.read(exchange), exchange.memory.cached)
    if told.ask.stream:
        return Stream(frames=stream.frames(told), spent=told.spent)
    return Whole(body=msgspec.json.encode(reply.write(told)), spent=told.spent)


RESPONSES = Endpoint(answer=_answer)
