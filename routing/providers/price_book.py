"""List prices of genai-prices in a compact form that every process can afford to hold.

The library itself takes a hundred megabytes and half a second to load, so one short-lived process
(`python -m routing.providers.price_book FILE`) writes the book for the library's version, and
everybody else reads that file. Prices are dated; how a model id is matched is the library's own
logic, carried over as data.
"""

import importlib.metadata
import os
import re
import subprocess
import sys
import zlib
from collections.abc import Iterator
from copy import copy
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import msgspec

from billing.pricing import (
    FINEST,
    SERVICE_FIELDS,
    USUAL_SERVICE,
    Price,
    Rates,
    Tier,
    Variant,
)
from routing.providers import loader

LIBRARY = "genai-prices"
FORMAT = 2  # of the file

Match = tuple[str, Any]  # ("equals" | "starts_with" | …, text) or ("or" | "and", [Match, …])


class Entry(msgspec.Struct, frozen=True):
    """A model of the book: how its id is matched, and its prices in order of date."""

    id: str
    match: Match
    prices: tuple[Price, ...]
    variants: tuple[Variant, ...] = ()  # of one tier of service the first that has begun counts


class PriceBook(msgspec.Struct, frozen=True):
    version: str
    providers: dict[str, tuple[Entry, ...]]

    def find(self, provider: str, model: str, day: date) -> Price | None:
        """The list price of a model on a day; None where the book knows none."""
        wanted = model.lower()
        for entry in self.providers.get(provider, ()):
            if matches(entry.match, wanted):
                price = _on(entry.prices, day)
                if price is None or not entry.variants:
                    return price
                return msgspec.structs.replace(price, variants=_begun(entry.variants, day))
        return None


def path_in(folder: Path) -> Path:
    """One book for each version of the library, each set of catalogue files, and each format."""
    names = f"{FORMAT}" + "".join(path.name for path in sorted(loader.FOLDER.glob("*.toml")))
    version = importlib.metadata.version(LIBRARY)
    return folder / f"prices-{version}-{zlib.crc32(names.encode()):08x}.json"


def load(folder: Path) -> PriceBook:
    """The book of the library's version; made first if it is not there."""
    path = path_in(folder)
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "routing.providers.price_book", str(path)]
        root = Path(__file__).resolve().parents[2]
        subprocess.run(command, check=True, cwd=root)  # noqa: S603
    return msgspec.json.decode(path.read_bytes(), type=PriceBook)


def matches(match: Match, text: str) -> bool:
    kind, value = match
    if kind == "or":
        return any(matches(part, text) for part in value)
    if kind == "and":
        return all(matches(part, text) for part in value)
    return bool(_TESTS[kind](text, value))


_TESTS: dict[str, Any] = {
    "equals": str.__eq__,
    "starts_with": str.startswith,
    "ends_with": str.endswith,
    "contains": str.__contains__,
    "regex": lambda text, pattern: re.search(pattern, text) is not None,
}


def _on(prices: tuple[Price, ...], day: date) -> Price | None:
    """The last price that had begun by this day; the first one if none had."""
    begun = [price for price in prices if price.since is None or price.since <= day]
    known = begun or prices[:1]
    return known[-1] if known else None


def _begun(variants: tuple[Variant, ...], day: date) -> tuple[Variant, ...]:
    found: dict[str, Variant] = {}
    for one in variants:
        if one.since is None or one.since <= day:
            found.setdefault(one.service, one)
    return tuple(found.values())


# Making the book: the only code that imports the library -------------------------------------


def make() -> PriceBook:
    # Imported here: half a second and a hundred megabytes that no other process should pay.
    from genai_prices import data_snapshot

    version = importlib.metadata.version(LIBRARY)
    listed = {provider.id: provider for provider in data_snapshot.get_snapshot().providers}
    providers = {}
    for slug, provider in loader.load_all().items():
        found = listed.get(provider.prices_id or slug)
        if found:
            entries = (_entry(model, version) for model in found.models)
            providers[slug] = tuple(entry for entry in entries if entry.prices)
    return PriceBook(version=version, providers=providers)


def _entry(model: Any, version: str) -> Entry:
    prices = tuple(_prices(model.prices, f"{LIBRARY} {version}"))
    return Entry(model.id, _match(model.match), prices, tuple(_variants(model)))


def _variants(model: Any) -> Iterator[Variant]:
    """Its other tiers of service. What a variant does not name it has from the usual price."""
    for row in model.price_variants or ():
        service = next((row.when[name] for name in SERVICE_FIELDS if name in row.when), "")
        start = getattr(row.constraint, "start_date", None)
        is_datable = row.constraint is None or start
        if len(row.when) != 1 or service in USUAL_SERVICE or not is_datable:
            continue
        merged = copy(_usual(model.prices, start))
        named = {name: value for name, value in row.prices.__dict__.items() if value is not None}
        merged.__dict__.update(named)
        price = _with_tiers(merged, start, "")
        yield Variant(service, price.rates, start, price.tiers)


def _usual(prices: Any, day: date | None) -> Any:
    """What the library lists for a day; of a variant that was always there, at first."""
    if not isinstance(prices, list):
        return prices
    starts = [(row, getattr(row.constraint, "start_date", None)) for row in prices]
    begun = [row for row, start in starts if start is None or (day and start <= day)]
    return (begun or prices)[-1].prices


def _match(clause: Any) -> Match:
    for kind in ("equals", "starts_with", "ends_with", "contains", "regex"):
        if hasattr(clause, kind):
            return kind, getattr(clause, kind)
    if hasattr(clause, "or_"):
        return "or", [_match(part) for part in clause.or_]
    return "and", [_match(part) for part in clause.and_]


def _prices(prices: Any, source: str) -> list[Price]:
    if not isinstance(prices, list):
        return _price(prices, None, source)
    found = []
    for row in prices:
        start = getattr(row.constraint, "start_date", None)
        if row.constraint is None or start:
            found += _price(row.prices, start, source)
    return found


def _price(prices: Any, since: date | None, source: str) -> list[Price]:
    return [] if prices.input_mtok is None else [_with_tiers(prices, since, source)]


def _with_tiers(prices: Any, since: date | None, source: str) -> Price:
    starts = sorted(
        {tier.start for value in prices.__dict__.values() for tier in getattr(value, "tiers", ())}
    )
    tiers = tuple(Tier(start, _rates(prices, start)) for start in starts)
    return Price(source=source, since=since, rates=_rates(prices, None), tiers=tiers)


def _rates(prices: Any, above: int | None) -> Rates:
    def rate(name: str) -> Decimal | None:
        value = getattr(prices, name)
        if value is None:
            return None
        reached = [
            t.price for t in getattr(value, "tiers", ()) if above is not None and t.start <= above
        ]
        return _charged(reached[-1] if reached else getattr(value, "base", value))

    fee = rate("requests_kcount") if "requests_kcount" in prices.__dict__ else None
    return Rates(
        input=rate("input_mtok") or Decimal(0),
        output=rate("output_mtok") or Decimal(0),
        cache_read=rate("cache_read_mtok"),
        cache_write_5m=rate("cache_write_mtok"),
        cache_write_1h=rate("cache_write_1h_mtok"),
        reasoning=rate("output_reasoning_mtok"),
        audio_in=rate("input_audio_mtok"),
        audio_out=rate("output_audio_mtok"),
        image_in=rate("input_image_mtok"),
        per_request=(fee or Decimal(0)) / 1000,
    )


def _charged(rate: Decimal) -> Decimal:
    """Aggregators publish thirds of a cent as long decimals; we charge to 10⁻⁶ USD a million."""
    return rate.quantize(FINEST, ROUND_HALF_UP).normalize() + 0


if __name__ == "__main__":
    target = Path(sys.argv[1])
    new = target.with_suffix(f".{os.getpid()}.new")
    new.write_bytes(msgspec.json.encode(make()))
    new.rename(target)
