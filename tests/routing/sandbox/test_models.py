"""Lists of models in each provider's own shape, and the headers that go down."""

import pytest

from tests.routing.sandbox.server import Sandbox
from tests.routing.sandbox.speakers import ALL, BY_NAME, CHAT, MESSAGES
from tests.routing.sandbox.speaking import BEARER, Speaker

OPENAI_LISTS = [s for s in CHAT if s.name != "openrouter"]


@pytest.mark.parametrize("speaker", OPENAI_LISTS, ids=str)
def test_a_list_is_openais_with_cards_of_models(sandbox: Sandbox, speaker: Speaker) -> None:
    content = sandbox.get(f"/{speaker.slug}{speaker.list_path}", speaker.headers).json()

    assert content["object"] == "list"
    assert all(card["object"] == "model" and card["id"] for card in content["data"])


@pytest.mark.parametrize("name", ["cerebras", "deepinfra"])
def test_some_providers_date_no_model(sandbox: Sandbox, name: str) -> None:
    speaker = BY_NAME[name]
    content = sandbox.get(f"/{speaker.slug}{speaker.list_path}", speaker.headers).json()

    assert {card["created"] for card in content["data"]} == {0}


def test_prices_are_texts_floats_or_integers(sandbox: Sandbox) -> None:
    texts = sandbox.get("/openrouter/api/v1/models", BEARER).json()["data"][0]["pricing"]
    floats = sandbox.get("/deepinfra/v1/openai/models", BEARER).json()["data"][0]["metadata"]
    integers = sandbox.get("/xai/v1/language-models", BEARER).json()["models"][0]

    assert isinstance(texts["prompt"], str)
    assert isinstance(floats["pricing"]["input_tokens"], float)
    assert isinstance(integers["prompt_text_token_price"], int)


def test_anthropic_lists_in_pages(sandbox: Sandbox) -> None:
    path = "/anthropic/v1/models?limit=2"
    first = sandbox.get(path, MESSAGES.headers).json()
    second = sandbox.get(f"{path}&after_id={first['last_id']}", MESSAGES.headers).json()

    assert (first["has_more"], second["has_more"]) == (True, False)
    assert first["data"][0]["type"] == "model"
    assert {m["id"] for m in first["data"]}.isdisjoint(m["id"] for m in second["data"])


def test_gemini_lists_in_pages_with_prefixed_names(sandbox: Sandbox) -> None:
    headers = BY_NAME["gemini"].headers
    first = sandbox.get("/gemini/v1beta/models?pageSize=2", headers).json()
    token = first["nextPageToken"]
    second = sandbox.get(f"/gemini/v1beta/models?pageSize=2&pageToken={token}", headers).json()

    assert first["models"][0]["name"].startswith("models/")
    assert "nextPageToken" not in second
    compat = sandbox.get("/gemini/v1beta/openai/models", BEARER).json()
    assert compat["data"][0]["id"].startswith("models/")


def test_openrouter_lists_in_pages(sandbox: Sandbox) -> None:
    first = sandbox.get("/openrouter/api/v1/models?limit=2", {}).json()
    second = sandbox.get(f"/openrouter{first['links']['next']}", {}).json()

    assert first["total_count"] == len(first["data"]) + len(second["data"])
    assert second["links"]["next"] is None


@pytest.mark.parametrize(
    "path",
    [
        "/openai/v1/models/gpt-4o-mini",
        "/openai/v1/models/ft:gpt-4o:mine",
        "/groq/openai/v1/models/openai/gpt-oss-120b",
        "/groq/openai/v1/models/openai%2Fgpt-oss-120b",
        "/xai/v1/models/grok-4.3",
    ],
)
def test_one_model_is_found_by_its_name(sandbox: Sandbox, path: str) -> None:
    card = sandbox.get(path, BEARER).json()

    assert card["object"] == "model"
    assert path.replace("%2F", "/").endswith(card["id"])


def test_one_model_that_is_unknown_is_a_404(sandbox: Sandbox) -> None:
    assert sandbox.get("/openai/v1/models/unknown-1", BEARER).status_code == 404
    assert sandbox.get("/anthropic/v1/models/unknown-1", MESSAGES.headers).status_code == 404


def test_xai_tells_about_a_key(sandbox: Sandbox) -> None:
    content = sandbox.get("/xai/v1/api-key", BEARER).json()

    assert content["api_key_blocked"] is False
    assert content["redacted_api_key"] == "sa***34"


COUNTERS = {
    "cerebras": "x-ratelimit-remaining-tokens-minute",
    "openai": "x-ratelimit-remaining-tokens",
    "openai responses": "x-ratelimit-remaining-tokens",
    "anthropic": "anthropic-ratelimit-tokens-remaining",
    "groq": "x-ratelimit-remaining-tokens",
    "mistral": "x-ratelimit-remaining-tokens-minute",
    "xai": "x-ratelimit-remaining-tokens",
}


@pytest.mark.parametrize("speaker", ALL, ids=str)
def test_rate_limits_go_down_with_use_where_they_are_told(
    sandbox: Sandbox, speaker: Speaker
) -> None:
    def left() -> str | None:
        body = speaker.body("Hi", model=speaker.model)
        answer = sandbox.post(speaker.url(), body, speaker.headers)
        told: str | None = answer.headers.get(COUNTERS.get(speaker.name, "x-none"))
        return told

    first, second = left(), left()

    if speaker.name not in COUNTERS:
        assert (first, second) == (None, None)
    else:
        assert first is not None
        assert second is not None
        assert int(second) < int(first) or int(first) == 0
