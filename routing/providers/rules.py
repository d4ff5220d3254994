"""What makes a catalogue file sound, beyond its types. Pure."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

from billing import pricing
from routing.providers.spec import (
    CAPABILITIES,
    MODEL_NAME,
    ModelOffer,
    PriceRow,
    PriceTier,
    Provider,
    Quirks,
)

RATES = ("input", "output", "cached_input", "cache_write", "cache_write_1h")
# From least to most; some providers have words of their own for "as it usually does".
EFFORTS = ("none", "minimal", "low", "medium", "default", "high", "xhigh", "max")


def problems(provider: Provider) -> Iterator[str]:
    """Sentences on what is wrong, each beginning with the key."""
    if not provider.base_url.startswith("https://") or provider.base_url.endswith("/"):
        yield "base_url must start with https:// and not end in a slash"
    yield from _of_key_check(provider)
    yield from _of_quirks("quirks", provider.quirks)
    seen: set[str] = set()
    for offer in provider.models:
        for name in (offer.id, *offer.aliases):
            if name in seen:
                yield f"models: {name!r} stands twice"
            seen.add(name)
        for problem in of_model(offer):
            yield f"models: {offer.id}: {problem}"


def of_model(offer: ModelOffer) -> Iterator[str]:
    """What is wrong with a model, whoever describes it."""
    for name in (offer.id, *offer.aliases, *([offer.family] if offer.family else [])):
        if not MODEL_NAME.fullmatch(name):
            yield f"{name!r} holds characters that no model name has"
    if unknown := (offer.can or frozenset()) - CAPABILITIES:
        yield f"can: unknown {', '.join(sorted(unknown))}"
    if any(size is not None and size < 1 for size in (offer.context, offer.output)):
        yield "context and output are numbers of tokens from 1 up"
    if offer.auto and (offer.kind != "chat" or offer.deprecated):
        yield "auto: a model that is deprecated or does not chat is never chosen"
    if offer.quirks:
        yield from _of_quirks("quirks", offer.quirks)
    yield from _of_prices(offer.prices)


def _of_key_check(provider: Provider) -> Iterator[str]:
    check = provider.key_check
    if not check.path.startswith("/") or not provider.listing.path.startswith("/"):
        yield "key_check and listing: path must start with a slash"
    try:
        msgspec.json.decode(check.body or "{}")
    except msgspec.DecodeError:
        yield "key_check: body is not JSON"


def _of_quirks(place: str, quirks: Quirks) -> Iterator[str]:
    if both := set(quirks.drop) & set(quirks.rename):
        yield f"{place}: {', '.join(sorted(both))} cannot be both dropped and renamed"
    if unknown := set(quirks.efforts) - set(EFFORTS):
        yield f"{place}: efforts: unknown {', '.join(sorted(unknown))}"
    elif list(quirks.efforts) != sorted(set(quirks.efforts), key=EFFORTS.index):
        yield f"{place}: efforts go from least to most, each once"
    if quirks.reported_cost_unit <= 0:
        yield f"{place}: reported_cost_unit is an amount of US dollars"


def _of_prices(rows: tuple[PriceRow, ...]) -> Iterator[str]:
    for row in rows:
        yield from _of_rates(row)
        for tier in row.tiers:
            yield from _of_rates(tier)
        starts = [tier.above_input_tokens for tier in row.tiers]
        if starts != sorted(set(starts)) or any(start < 1 for start in starts):
            yield "prices: tiers must be in order of above_input_tokens"
    days = [row.since for row in rows]
    if days != sorted(set(days)):
        yield "prices: rows must be in order of `since`, one per day"


def _of_rates(row: PriceRow | PriceTier) -> Iterator[str]:
    for name in RATES:
        rate: Decimal | None = getattr(row, name)
        try:
            if rate is not None:
                pricing.check_rate(rate)
        except pricing.RateProblem as problem:
            yield f"prices: {name}: {problem}"
