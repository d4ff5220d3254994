"""How many tokens a call is expected to take. Pure."""

from typing import NamedTuple

from routing.chat import ChatRequest
from routing.providers.catalog_index import Offer

USUAL_OUTPUT = 250  # tokens of an answer, where nothing better is known
USUAL_REASONING = 3.0  # tokens of thought per token of answer, of a model that thinks first
MOST_OUTPUT = USUAL_OUTPUT * (1 + USUAL_REASONING)


class Expected(NamedTuple):
    """Tokens of a call. `cached` and `written` (to a prompt cache) are parts of `input`."""

    input: float
    output: float
    cached: float = 0.0
    written: float = 0.0


def unlearned(offer: Offer, chat: ChatRequest) -> Expected:
    """What is expected before anything was measured."""
    output = usual_output(offer)
    if chat.max_tokens:
        output = min(output, chat.max_tokens)
    return Expected(chat.input_tokens, output)


def usual_output(offer: Offer) -> float:
    """Tokens of an answer, thoughts included, before anything was measured."""
    reasons = offer.model is not None and offer.model.reasons
    return MOST_OUTPUT if reasons else float(USUAL_OUTPUT)
