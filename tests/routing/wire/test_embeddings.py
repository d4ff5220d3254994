"""Embeddings: what is asked, in which form it is answered, and Gemini's batches."""

import base64
import json
import struct
from decimal import Decimal
from typing import Any

import pytest

from accounts.errors import InvalidRequest
from billing.usage import Usage
from routing.providers.spec import Quirks
from routing.wire.embeddings import gemini, reply, request
from routing.wire.failed import NotAnAnswer


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "m", "input": "hi", **fields}).encode()


@pytest.mark.parametrize(
    ("given", "inputs"),
    [
        ("hi", ["hi"]),
        (["a", "b"], ["a", "b"]),
        ([1, 2, 3], [[1, 2, 3]]),
        ([[1], [2, 3]], [[1], [2, 3]]),
    ],
)
def test_the_four_forms_of_input(given: Any, inputs: list[Any]) -> None:
    read = request.read(body(input=given))
    assert request.inputs_of(read.body) == inputs
    assert ("token_ids" in read.needs) == isinstance(inputs[0], list)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": []}, "input"),
        ({"input": ""}, "input[0]"),
        ({"input": ["a", ""]}, "input[1]"),
        ({"input": [1, "a"]}, "input[0]"),
        ({"input": None}, "input"),
        ({"input": ["x"] * 2049}, "input"),
        ({"encoding_format": "hex"}, "encoding_format"),
        ({"dimensions": 0}, "dimensions"),
        ({"model": ""}, "model"),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        request.read(body(**fields))
    assert refused.value.param == param


def test_a_provider_gets_the_callers_body_under_its_own_names() -> None:
    quirks = Quirks(drop=("user",), rename={"dimensions": "output_dimension"})
    chat = request.read(body(user="u", dimensions=8, encoding_format="base64"))
    out = request.write(chat, "x", None, quirks)
    assert json.loads(out.body) == {
        "model": "x",
        "input": "hi",
        "output_dimension": 8,
        "encoding_format": "base64",
    }
    assert out.adapted == ("user",)


VECTOR = [0.5, -0.25]
PACKED = base64.b64encode(struct.pack("<2f", *VECTOR)).decode()


@pytest.mark.parametrize("theirs", [VECTOR, PACKED])
@pytest.mark.parametrize(("encoding", "expected"), [("float", VECTOR), ("base64", PACKED)])
def test_vectors_come_in_the_encoding_that_was_asked_for(
    theirs: Any, encoding: str, expected: Any
) -> None:
    data = [{"object": "embedding", "index": 0, "embedding": theirs}]
    raw = {"object": "list", "data": data, "model": "y", "usage": {"prompt_tokens": 5}}
    read = reply.read(json.dumps(raw).encode(), Quirks())
    assert read.usage == Usage(input_uncached=5)
    out = json.loads(
        reply.write(read, encoding=encoding, model="x", usage=read.usage, cost=Decimal("0.1"))
    )
    assert out["data"][0]["embedding"] == expected
    assert out["model"] == "y"
    assert out["usage"] == {"prompt_tokens": 5, "total_tokens": 5, "cost": 0.1}


@pytest.mark.parametrize("raw", [b"", b"{}", b'{"data": [{"embedding": {}}]}', b'{"data": 1}'])
def test_garbage_is_no_answer(raw: bytes) -> None:
    with pytest.raises(NotAnAnswer):
        reply.read(raw, Quirks())


def test_gemini_is_asked_in_batches_and_answers_in_openais_shape() -> None:
    chat = request.read(body(input=["a", "b"], dimensions=2))
    out = gemini.write(chat, "gemini-embedding-001", None, Quirks())
    assert out.path == b"/models/gemini-embedding-001:batchEmbedContents"
    assert [one["content"]["parts"] for one in json.loads(out.body)["requests"]] == [
        [{"text": "a"}],
        [{"text": "b"}],
    ]
    raw = b'{"embeddings":[{"values":[0.5]},{"values":[1]}],"usageMetadata":{"promptTokenCount":3}}'
    read = gemini.read(raw, Quirks())
    assert read.usage == Usage(input_uncached=3)
    shown = json.loads(reply.write(read, encoding="float", model="g", usage=Usage(), cost=None))
    assert [one["embedding"] for one in shown["data"]] == [[0.5], [1.0]]
    assert [one["index"] for one in shown["data"]] == [0, 1]


def test_token_ids_cannot_be_said_in_geminis_dialect() -> None:
    with pytest.raises(InvalidRequest):
        gemini.write(request.read(body(input=[1, 2])), "g", None, Quirks())
