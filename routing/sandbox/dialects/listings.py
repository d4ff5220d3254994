"""Lists of models and single models, each provider's cards made by a function of its own."""

from collections.abc import Callable

import msgspec

from routing.sandbox.answers import Answer, Whole
from routing.sandbox.dialects import shapes
from routing.sandbox.profile import Endpoint, Exchange, Json, Model

Card = Callable[[Model], Json]
Envelope = Callable[[Exchange, list[Json]], Json]


def plain(_: Exchange, cards: list[Json]) -> Json:
    """OpenAI's list."""
    return {"object": "list", "data": cards}


def openai_card(owner: str, *, dated: bool = True) -> Card:
    """OpenAI's card of a model. Some providers date none of theirs (`created` is 0)."""
    return lambda model: {
        "id": model.id,
        "object": "model",
        "created": model.created if dated else 0,
        "owned_by": owner,
    }


def all_models(
    card: Card, envelope: Envelope = plain, *, needs_key: bool = True, checks_key: bool = True
) -> Endpoint:
    """The list."""

    def answer(exchange: Exchange) -> Answer:
        models = () if exchange.is_empty else exchange.profile.models
        content = envelope(exchange, [card(model) for model in models])
        return Whole(body=msgspec.json.encode(content))

    return Endpoint(answer=answer, lists_models=True, needs_key=needs_key, checks_key=checks_key)


def one_model(card: Card) -> Endpoint:
    """One model by its name; the sandbox knows every name but `unknown-…`."""

    def answer(exchange: Exchange) -> Answer:
        name = shapes.known_model(exchange, exchange.name)
        listed = (model for model in exchange.profile.models if model.id == name)
        return Whole(body=msgspec.json.encode(card(next(listed, Model(id=name, label=name)))))

    return Endpoint(answer=answer, lists_models=True)


def fixed(content: Callable[[Exchange], Json], *, shows_credit: bool = False) -> Endpoint:
    """An endpoint that tells about the key."""

    def answer(exchange: Exchange) -> Answer:
        return Whole(body=msgspec.json.encode(content(exchange)))

    return Endpoint(answer=answer, lists_models=True, shows_credit=shows_credit)
