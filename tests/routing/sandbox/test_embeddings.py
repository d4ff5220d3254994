"""Embeddings: the same text has the same vector, in each provider's shape."""

import base64
import math
import struct
from typing import Any

import pytest

from tests.routing.sandbox.server import Sandbox
from tests.routing.sandbox.speakers import GENERATE
from tests.routing.sandbox.speaking import BEARER, Json

PATHS = {
    "openai": "/openai/v1/embeddings",
    "groq": "/groq/openai/v1/embeddings",
    "gemini": "/gemini/v1beta/openai/embeddings",
    "deepinfra": "/deepinfra/v1/openai/embeddings",
    "mistral": "/mistral/v1/embeddings",
    "openrouter": "/openrouter/api/v1/embeddings",
    "nvidia": "/nvidia/v1/embeddings",
}


def embed(sandbox: Sandbox, slug: str, **body: Any) -> Json:
    answer = sandbox.post(PATHS[slug], {"model": "some-embed", "input": "a", **body}, BEARER)
    assert answer.status_code == 200, answer.text
    content: Json = answer.json()
    return content


@pytest.mark.parametrize("slug", sorted(PATHS))
def test_a_text_gets_one_unit_vector_and_its_tokens_counted(sandbox: Sandbox, slug: str) -> None:
    content = embed(sandbox, slug, input="What is rain?")

    (one,) = content["data"]
    assert (one["object"], one["index"]) == ("embedding", 0)
    assert math.isclose(math.hypot(*one["embedding"]), 1, rel_tol=1e-3)
    assert content["usage"]["prompt_tokens"] == content["usage"]["total_tokens"] == 4


def test_the_same_text_has_the_same_vector_and_another_another(sandbox: Sandbox) -> None:
    found = [v["embedding"] for v in embed(sandbox, "openai", input=["a", "b", "a"])["data"]]

    assert found[0] == found[2] != found[1]


def test_base64_is_little_endian_float32(sandbox: Sandbox) -> None:
    plain = embed(sandbox, "openai", dimensions=8)["data"][0]["embedding"]
    packed = embed(sandbox, "openai", dimensions=8, encoding_format="base64")["data"][0]

    values = struct.unpack("<8f", base64.b64decode(packed["embedding"]))
    assert values == pytest.approx(plain, abs=1e-6)


def test_models_have_their_own_sizes_and_dimensions_may_be_chosen(sandbox: Sandbox) -> None:
    def size(**body: Any) -> int:
        return len(embed(sandbox, "openai", **body)["data"][0]["embedding"])

    assert size(model="text-embedding-3-small") == 1536
    assert size(model="text-embedding-3-large") == 3072
    assert size(model="text-embedding-3-large", dimensions=256) == 256


def test_lists_of_token_ids_are_counted_as_they_are(sandbox: Sandbox) -> None:
    assert embed(sandbox, "openai", input=[1, 2, 3])["usage"]["prompt_tokens"] == 3
    assert len(embed(sandbox, "openai", input=[[1, 2], [3]])["data"]) == 2


@pytest.mark.parametrize(
    ("slug", "body", "status"),
    [
        ("openai", {"input": []}, 400),
        ("openai", {"frobnicate": 1}, 400),
        ("openai", {"encoding_format": "hex"}, 400),
        ("openai", {"model": "unknown-embed"}, 404),
        ("mistral", {"dimensions": 5}, 422),
        ("nvidia", {"dimensions": 5}, 400),
    ],
)
def test_what_a_provider_does_not_take_is_refused(
    sandbox: Sandbox, slug: str, body: Json, status: int
) -> None:
    answer = sandbox.post(PATHS[slug], {"model": "m", "input": "a", **body}, BEARER)

    assert answer.status_code == status


def test_geminis_own_form_takes_batches(sandbox: Sandbox) -> None:
    name = "gemini-embedding-001"
    requests = [
        {
            "model": f"models/{name}",
            "content": {"parts": [{"text": text}]},
            "outputDimensionality": 16,
        }
        for text in ("a", "b")
    ]
    url = f"/gemini/v1beta/models/{name}"

    batch = sandbox.post(f"{url}:batchEmbedContents", {"requests": requests}, GENERATE.headers)
    one = sandbox.post(f"{url}:embedContent", requests[0], GENERATE.headers)

    assert [len(vector["values"]) for vector in batch.json()["embeddings"]] == [16, 16]
    assert one.json()["embedding"] == batch.json()["embeddings"][0]


def test_cerebras_and_anthropic_have_none(sandbox: Sandbox) -> None:
    assert sandbox.post("/cerebras/v1/embeddings", {}, BEARER).status_code == 404
    assert sandbox.post("/anthropic/v1/embeddings", {}, {"x-api-key": "k"}).status_code == 404
