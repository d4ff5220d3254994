"""What models are believed to be worth before anyone judged them."""

from decimal import Decimal

import pytest

from routing.providers import loader
from routing.providers.catalog_index import Catalog, Offer
from routing.scoring import priors
from routing.scoring.priors import PriorsProblem
from tests.routing.plan.builders import price

CATALOG = Catalog(loader.load_all())


def test_every_model_that_auto_may_choose_has_a_prior() -> None:
    missing = {priors.name_of(offer) for offer in CATALOG.auto} - priors.shipped().keys()
    assert missing == set()


def test_every_prior_is_of_a_model_of_the_catalogue() -> None:
    known = {
        priors.name_of(Offer(provider, model.id, model))
        for provider in CATALOG.providers.values()
        for model in provider.models
    }
    assert priors.shipped().keys() - known == set()


def test_the_same_weights_have_one_name_wherever_they_are_offered() -> None:
    names = {priors.name_of(offer) for offer in CATALOG.offers("llama-3.3-70b")}
    assert names == {"llama-3.3-70b"}
    assert priors.folded("qwen/Qwen3-32B:free") == "qwen3-32b"
    assert priors.folded("anthropic/claude-sonnet-4.5") == "claude-sonnet-4-5"


@pytest.mark.parametrize(
    ("output", "quality"), [("1", 0.70), ("10", 0.76), ("0.0001", 0.50), ("100000", 0.86)]
)
def test_an_unknown_model_is_judged_by_its_price(output: str, quality: float) -> None:
    assert priors.of_price(price("1", output)) == pytest.approx(quality)


def test_no_price_and_a_price_of_nothing_promise_least() -> None:
    assert priors.of_price(None) == priors.of_price(price("0", "0")) == priors.LEAST
    assert Decimal(0) == price("0", "0").rates.output


@pytest.mark.parametrize(
    "text",
    [
        "[tiers]\nmid = 0.7\n[models]\nodd = ['a']",
        "[tiers]\nmid = 0.7\n[models]\nmid = ['a', 'a']",
        "[tiers]\nmid = 0.7\n[models]\nmid = ['Big-Model']",
    ],
)
def test_a_file_that_would_not_be_found_by_is_refused(text: str) -> None:
    with pytest.raises(PriorsProblem):
        priors.read(text)
