"""Embeddings with the stock client, whose default is base64."""

from decimal import Decimal

import pytest
from openai import BadRequestError

from tests.journeys import books
from tests.journeys.conftest import Caller

MODELS = [
    "openai/text-embedding-3-small", "mistral/mistral-embed", "gemini/gemini-embedding-001",
    "deepinfra/BAAI/bge-m3",
]  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
def test_every_embedding_provider_answers_and_is_on_the_books(caller: Caller, model: str) -> None:
    answer = caller.openai().embeddings.create(model=model, input=["one", "two"])
    first, second = (one.embedding for one in answer.data)
    assert len(first) == len(second) > 8
    assert first != second
    call, (attempt,) = books.last(caller)
    assert (call.endpoint, call.status) == ("embeddings", "succeeded")
    assert call.input_uncached == answer.usage.prompt_tokens > 0
    cost = answer.usage.cost  # type: ignore[attr-defined]
    assert call.cost == (None if cost is None else Decimal(str(cost)))
    assert call.cost_status == ("unpriced" if cost is None else "priced")
    assert attempt.provider == model.partition("/")[0]


def test_floats_and_base64_are_the_same_vector(caller: Caller) -> None:
    create = caller.openai().embeddings.create
    model = "openai/text-embedding-3-small"
    packed = create(model=model, input="x", dimensions=8)
    plain = create(model=model, input="x", dimensions=8, encoding_format="float")
    assert packed.data[0].embedding == pytest.approx(plain.data[0].embedding, abs=1e-6)


def test_a_chat_model_has_no_embeddings(caller: Caller) -> None:
    with pytest.raises(BadRequestError) as refused:
        caller.openai().embeddings.create(model="openai/gpt-4.1-mini", input="x")
    assert "chat model" in str(refused.value)
