"""Catalogue files: what is right is read exactly, what is wrong is named with its file."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from billing.pricing import SERVICE_FIELDS, USUAL_SERVICE
from routing.providers import catalog_index, loader, price_book, prices

MINIMAL = """
slug = "acme"
label = "Acme"
wire = "openai"
base_url = "https://api.acme.example/v1"
auth = "bearer"
keys_url = "https://acme.example/keys"
docs_url = "https://acme.example/docs"
good_at = "Everything"
[key_check]
path = "/models"
"""
MODEL = '[[models]]\nid = "m"\n'
TIER = "[[models.prices.tiers]]\nabove_input_tokens = 1000\ninput = 0.7\noutput = 1.5\n"
PRICE = "[[models.prices]]\nsince = 2026-01-01\ninput = 0.35\noutput = 0.75\n"


def written(folder: Path, text: str, name: str = "acme.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_minimal_file_is_enough_and_its_decimals_are_exact(tmp_path: Path) -> None:
    provider = loader.load(written(tmp_path, MINIMAL + MODEL + PRICE))
    assert provider.models[0].prices[0].input == Decimal("0.35")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        (MINIMAL.replace('"openai"', '"grpc"'), "wire"),
        (MINIMAL.replace("https://api", "http://api"), "base_url"),
        (MINIMAL.replace('slug = "acme"', 'slug = "other"'), "slug"),
        (MINIMAL + MODEL + "contxt = 3\n", "contxt"),
        (MINIMAL + MODEL + MODEL, "twice"),
        (MINIMAL + MODEL + 'can = ["fly"]\n', "fly"),
        (MINIMAL + MODEL + PRICE.replace("0.35", "-1.0"), "input"),
        (MINIMAL + MODEL + PRICE.replace("0.35", "0.00000001"), "exactly"),
        (MINIMAL + MODEL + PRICE + PRICE, "since"),
        (MINIMAL + "[[models]\n", "acme.toml"),
        (MINIMAL.replace("/models", "models"), "slash"),
        (MINIMAL + 'body = "{"\n', "JSON"),
        (MINIMAL + MODEL.replace('"m"', '"m m"'), "characters"),
        (MINIMAL + MODEL + 'family = "a b"\n', "characters"),
        (MINIMAL + MODEL + "context = 0\n", "tokens"),
        (MINIMAL + MODEL + 'auto = true\nkind = "media"\n', "auto"),
        (MINIMAL + MODEL + "auto = true\ndeprecated = true\n", "auto"),
        (MINIMAL + '[quirks]\ndrop = ["user"]\nrename = { user = "who" }\n', "user"),
        (MINIMAL + '[quirks]\nefforts = ["low", "much"]\n', "much"),
        (MINIMAL + '[quirks]\nefforts = ["high", "low"]\n', "least"),
        (MINIMAL + "[quirks]\nreported_cost_unit = 0.0\n", "dollars"),
        (MINIMAL + MODEL + "[models.quirks]\nstop_at = 3\n", "stop_at"),
        (MINIMAL + MODEL + PRICE + TIER + TIER, "above_input_tokens"),
        (MINIMAL + MODEL + PRICE + TIER.replace("0.7", "-0.7"), "input"),
    ],
)
def test_a_mistake_is_named_with_its_file(tmp_path: Path, text: str, word: str) -> None:
    with pytest.raises(loader.CatalogProblem) as problem:
        loader.load(written(tmp_path, text))
    assert "acme.toml" in str(problem.value)
    assert word in str(problem.value)


def test_every_shipped_file_is_sound() -> None:
    providers = loader.load_all()
    slugs = {"cerebras", "deepinfra", "groq", "mistral", "nvidia", "openai", "openrouter", "xai"}
    assert slugs <= providers.keys()
    assert any(model.id == "llama3.1-8b" for model in providers["cerebras"].models)


TODAY = date(2026, 11, 20)


def test_every_model_that_auto_may_choose_has_a_price() -> None:
    for provider in loader.load_all().values():
        for model in provider.models:
            if model.auto:
                assert prices.listed(provider.slug, model.id, today=TODAY), model.id


@pytest.mark.parametrize(
    ("provider", "model", "day", "input_usd", "output_usd"),
    [
        ("openai", "gpt-4.1-mini", TODAY, "0.4", "1.6"),
        ("openai", "gpt-4.1-mini-2025-04-14", TODAY, "0.4", "1.6"),
        ("openrouter", "openai/gpt-oss-120b", date(2026, 10, 1), "0.039", "0.18"),
        ("openrouter", "openai/gpt-oss-120b", TODAY, "0.1", "0.5"),
        ("cerebras", "llama3.1-8b", TODAY, "0.1", "0.1"),
        ("deepinfra", "deepseek-ai/DeepSeek-V3.2", TODAY, "0.26", "0.38"),
        ("mistral", "mistral-large-2512", TODAY, "0.5", "1.5"),
        ("xai", "grok-4.3", TODAY, "1.25", "2.5"),
    ],
)
def test_list_prices_are_those_of_their_day(
    provider: str, model: str, day: date, input_usd: str, output_usd: str
) -> None:
    price = prices.listed(provider, model, today=day)
    assert price is not None
    assert (price.rates.input, price.rates.output) == (Decimal(input_usd), Decimal(output_usd))


def test_a_long_request_has_the_price_of_its_tier() -> None:
    price = prices.listed("openai", "gpt-5.4", today=TODAY)
    assert price is not None
    assert price.rates_for(272_000).input == Decimal("2.5")
    assert price.rates_for(272_001).input == Decimal(5)


def test_a_tier_of_a_catalogue_row_is_charged_for_long_requests() -> None:
    price = prices.listed("deepinfra", "XiaomiMiMo/MiMo-V2.5-Pro", today=TODAY)
    assert price is not None
    assert price.source == "catalogue"
    assert price.rates_for(256_000).output == Decimal(3)
    assert price.rates_for(256_001).output == Decimal(6)


def test_models_that_are_free_to_try_are_never_chosen_by_auto() -> None:
    assert not any(model.auto for model in loader.load_all()["nvidia"].models)


def test_a_model_has_its_providers_quirks_but_for_those_that_it_names(tmp_path: Path) -> None:
    shared = '[quirks]\ndrop = ["user"]\nmax_temperature = 1.5\n'
    own = MODEL + '[models.quirks]\ndrop = ["seed"]\n'

    provider = loader.load(written(tmp_path, MINIMAL + shared + own))

    assert provider.quirks.drop == ("user",)
    quirks = provider.quirks_of(provider.models[0])
    assert quirks.drop == ("seed",)
    assert quirks.max_temperature == 1.5
    assert type(quirks.max_temperature) is float


def test_the_unit_of_a_reported_cost_is_exact() -> None:
    assert loader.load_all()["xai"].quirks.reported_cost_unit == Decimal("1e-10")


def test_one_family_reaches_the_same_weights_at_several_providers() -> None:
    catalog = catalog_index.Catalog(loader.load_all())

    reached = {offer.provider.slug for offer in catalog.offers("gpt-oss-120b")}
    assert {"cerebras", "deepinfra", "groq", "nvidia", "openrouter"} <= reached
    reached = {offer.provider.slug for offer in catalog.offers("llama-3.3-70b")}
    assert {"cerebras", "deepinfra", "groq", "nvidia", "openrouter"} <= reached


def test_a_model_whose_id_is_its_familys_name_can_be_pinned() -> None:
    catalog = catalog_index.Catalog(loader.load_all())

    pinned = catalog.pinned("mistral/mistral-large-2512")

    assert pinned is not None
    assert pinned.model is not None
    assert pinned.model.context == 262144


def test_an_unknown_model_has_no_price() -> None:
    assert prices.listed("openai", "mock-300", today=TODAY) is None


def test_the_book_agrees_with_the_library_on_every_model_of_ours() -> None:
    import datetime

    from genai_prices import data_snapshot
    from genai_prices.types import TieredPrices

    snapshot = data_snapshot.get_snapshot()
    listed = {provider.id: provider for provider in snapshot.providers}
    moment = datetime.datetime(2026, 11, 20, 12, tzinfo=datetime.UTC)
    compared = 0
    for provider in loader.load_all().values():
        for model in provider.models:
            known = listed.get(provider.prices_id or provider.slug)
            theirs = known.find_model(model.id) if known else None
            ours = prices.book().find(provider.slug, model.id, TODAY)
            if theirs is None or theirs.get_prices(moment).input_mtok is None:
                assert ours is None
                continue
            rate = theirs.get_prices(moment).input_mtok
            base = rate.base if isinstance(rate, TieredPrices) else rate
            assert ours is not None
            assert base is not None
            assert ours.rates.input == price_book._charged(base), model.id
            compared += 1
    assert compared > 500


def test_the_book_agrees_with_the_library_on_every_tier_of_service() -> None:
    import datetime

    from genai_prices import data_snapshot

    moment = datetime.datetime(2026, 11, 20, 12, tzinfo=datetime.UTC)
    ids = {one.prices_id or one.slug: one.slug for one in loader.load_all().values()}
    compared = set()
    for provider in data_snapshot.get_snapshot().providers:
        for model in provider.models if provider.id in ids else ():
            for variant in model.price_variants or ():
                ((name, service),) = variant.when.items()
                if name not in SERVICE_FIELDS or service in USUAL_SERVICE:
                    continue
                theirs = model.get_prices(moment, {name: service})
                ours = prices.book().find(ids[provider.id], model.id, TODAY)
                assert ours is not None
                rates = {one.service: one.rates for one in ours.variants}
                assert rates[service] == price_book._rates(theirs, None), (model.id, service)
                compared.add((model.id, service))
    assert {service for _, service in compared} == {"flex", "priority", "fast"}
