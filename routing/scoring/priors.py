"""How well a model answers before anyone judged it: `priors.toml`, else by its price. Pure."""

import math
import tomllib
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from billing.pricing import Price
from routing.providers.catalog_index import Offer

FILE = Path(__file__).parent / "priors.toml"
# Chosen: of a model that the file does not know, from its price of output per million tokens.
AT_ONE_USD, PER_TENFOLD = 0.70, 0.06
LEAST, MOST = 0.50, 0.86


class PriorsProblem(Exception):
    """A file of priors that cannot be used."""


def read(text: str) -> dict[str, float]:
    """Quality by model. Raises PriorsProblem."""
    content = tomllib.loads(text)
    found: dict[str, float] = {}
    for tier, models in content["models"].items():
        if tier not in content["tiers"]:
            raise PriorsProblem(f"there is no tier {tier!r}")
        for model in models:
            if model in found or model != folded(model):
                raise PriorsProblem(
                    f"{model!r} stands there twice, or is not written as it is found"
                )
            found[model] = float(content["tiers"][tier])
    return found


@lru_cache(maxsize=1)
def shipped() -> dict[str, float]:
    return read(FILE.read_text())


@lru_cache(maxsize=8192)
def folded(name: str) -> str:
    """A model's name as priors and labels know it: no author, no `:free`, lower case."""
    name = name.rpartition("/")[2].partition(":")[0].lower()
    return name.replace(".", "-") if name.startswith("claude") else name


def name_of(offer: Offer) -> str:
    """The weights behind an offer: its family, else its id."""
    return folded((offer.model.family if offer.model else "") or offer.model_id)


def of_price(price: Price | None) -> float:
    """The quality that a price suggests, where nothing else is known of a model."""
    return _of_output(price.rates.output) if price else LEAST


@lru_cache(maxsize=4096)
def _of_output(usd: Decimal) -> float:
    if usd <= 0:
        return LEAST
    return max(LEAST, min(MOST, AT_ONE_USD + PER_TENFOLD * math.log10(usd)))
