"""Answers chat completions in a provider's accent."""

import msgspec

from routing.sandbox.answers import Answer, Stream, Whole
from routing.sandbox.dialects.chat import reply, request, stream
from routing.sandbox.dialects.chat.manner import Manner
from routing.sandbox.dialects.chat.refusals import Rules
from routing.sandbox.dialects.told import tell
from routing.sandbox.profile import Endpoint, Exchange


def endpoint(manner: Manner, rules: Rules) -> Endpoint:
    """`POST …/chat/completions` of a provider."""

    def answer(exchange: Exchange) -> Answer:
        told = tell(exchange, request.read(exchange, rules), exchange.memory.cached)
        if told.ask.stream:
            return Stream(frames=stream.frames(told, manner), spent=told.spent)
        return Whole(body=msgspec.json.encode(reply.write(told, manner)), spent=told.spent)

    return Endpoint(answer=answer)
