"""The list of models in both shapes, and one model by its name."""

from typing import Any

import pytest
from anthropic import Anthropic
from openai import NotFoundError, OpenAI

from tests.journeys.conftest import Caller


def openai(caller: Caller) -> OpenAI:
    return caller.openai()


def anthropic(caller: Caller) -> Anthropic:
    return Anthropic(base_url=caller.gateway.url, api_key=caller.test_key, max_retries=0)


def test_openais_client_lists_models_with_prices_and_parameters(caller: Caller) -> None:
    listed: dict[str, Any] = {model.id: model for model in openai(caller).models.list()}
    assert "auto" in listed
    model = listed["openai/gpt-4.1-mini"]
    assert model.owned_by == "openai"
    assert float(model.pricing["prompt"]) > 0
    assert "tools" in model.supported_parameters
    assert "openai/text-embedding-3-small" in listed
    assert {name.partition("/")[0] for name in listed if "/" in name} >= {"anthropic", "gemini"}


def test_anthropics_client_lists_the_same_models_in_its_shape(caller: Caller) -> None:
    listed: dict[str, Any] = {model.id: model for model in anthropic(caller).models.list()}
    model = listed["anthropic/claude-opus-4-8"]
    assert model.type == "model"
    assert model.display_name
    assert model.max_tokens > 0
    assert listed.keys() == {one.id for one in openai(caller).models.list()}


def test_one_model_by_name_in_both_shapes(caller: Caller) -> None:
    name = "groq/openai/gpt-oss-120b"
    assert openai(caller).models.retrieve(name).id == name
    assert anthropic(caller).models.retrieve(name).type == "model"
    with pytest.raises(NotFoundError):
        openai(caller).models.retrieve("nobody/knows-this-one")


def test_a_head_is_a_get_without_its_body(caller: Caller) -> None:
    with caller.gateway.client(caller.test_key) as http:
        asked, got = http.head("/v1/models"), http.get("/v1/models")

        assert (asked.status_code, asked.content) == (200, b"")
        assert asked.headers["content-length"] == got.headers["content-length"]
        assert http.options("/v1/models").status_code == 405
