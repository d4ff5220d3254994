"""Requests of OpenAI's dialect: what is read, what is sent on, what is refused."""

import json
from typing import Any

import pytest

from accounts.errors import InvalidRequest
from routing.providers import loader
from routing.providers.spec import ModelOffer, Quirks
from routing.wire.openai import request

PROVIDERS = loader.load_all()
MESSAGES: list[dict[str, Any]] = [{"role": "user", "content": "hi"}]


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "m", "messages": MESSAGES, **fields}).encode()


PLAIN = Quirks()


def sent(fields: dict[str, Any], quirks: Quirks = PLAIN, **offer: Any) -> tuple[Any, Any]:
    model = ModelOffer(id="x", **offer) if offer else None
    written = request.write(request.read(body(**fields)), "x", model, quirks)
    return json.loads(written.body), written.adapted


def test_unknown_fields_reach_the_provider_and_our_options_never_do() -> None:
    fields = {
        "seed": 7,
        "vendor_field": {"a": [1]},
        "models": ["a"],
        "provider": {},
        "session_id": "s",
    }
    out, adapted = sent(fields)
    assert out == {"model": "x", "messages": MESSAGES, "seed": 7, "vendor_field": {"a": [1]}}
    assert adapted == ()


def test_usage_of_a_stream_is_always_asked_for() -> None:
    out, _ = sent({"stream": True, "stream_options": {"include_obfuscation": False}})
    assert out["stream_options"] == {"include_obfuscation": False, "include_usage": True}


def test_a_provider_that_refuses_stream_options_never_gets_them() -> None:
    out, _ = sent({"stream": True, "stream_options": {}}, Quirks(stream_usage="never"))
    assert "stream_options" not in out


def test_groq_gets_neither_logprobs_nor_names_and_the_caller_is_told() -> None:
    named = [{"role": "developer", "content": "d", "name": "n"}]
    out, adapted = sent({"logprobs": True, "messages": named}, PROVIDERS["groq"].quirks)
    assert out["messages"] == [{"role": "system", "content": "d"}]
    assert "logprobs" not in out
    assert adapted == ("logprobs",)


def test_a_reasoning_model_of_openai_gets_max_completion_tokens() -> None:
    provider = PROVIDERS["openai"]
    offer = next(model for model in provider.models if model.id == "o3-mini")
    chat = request.read(body(max_tokens=50, temperature=0.3))
    written = request.write(chat, offer.id, offer, provider.quirks_of(offer))
    out = json.loads(written.body)
    assert out["max_completion_tokens"] == 50
    assert not {"max_tokens", "temperature"} & out.keys()
    assert set(written.adapted) == {"max_tokens", "temperature"}


def test_a_maximum_beyond_the_model_is_clamped_and_named() -> None:
    out, adapted = sent({"max_tokens": 128_000}, Quirks(), output=4096)
    assert (out["max_tokens"], adapted) == (4096, ("max_tokens",))


def test_cerebras_always_gets_a_maximum() -> None:
    out, _ = sent({}, PROVIDERS["cerebras"].quirks, output=40_960)
    assert out["max_completion_tokens"] == 40_960


def test_more_stop_sequences_than_the_provider_takes_are_cut_and_named() -> None:
    out, adapted = sent({"stop": list("abcdef")}, Quirks(max_stop=4))
    assert (out["stop"], adapted) == (list("abcd"), ("stop",))


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"model": 3}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"stream": "yes"}, "stream"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": "12"}, "max_tokens"),
        ({"max_completion_tokens": 1.5}, "max_completion_tokens"),
        ({"tools": {}}, "tools"),
        ({"n": True}, "n"),
        ({"response_format": "json"}, "response_format"),
        ({"stream": True, "stream_options": []}, "stream_options"),
    ],
)
def test_a_field_of_the_wrong_type_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        request.read(body(**fields))
    assert refused.value.param == param


@pytest.mark.parametrize(
    ("fields", "needs"),
    [
        ({"tools": [{"type": "function"}]}, {"tools"}),
        ({"response_format": {"type": "json_schema"}}, {"json_schema"}),
        ({"logprobs": True}, {"logprobs"}),
        ({"n": 2}, {"n"}),
        ({"n": 1, "tools": []}, set()),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, {"image"}),
        ({"messages": [{"role": "user", "content": 'say "image_url"'}]}, set()),
    ],
)
def test_what_a_request_needs_is_known(fields: dict[str, Any], needs: set[str]) -> None:
    assert request.read(body(**fields)).needs == needs


def test_a_picture_is_seen_however_its_type_is_spelt() -> None:
    plain = body(messages=[{"role": "user", "content": [{"type": "image_url"}]}])
    assert request.read(plain.replace(b"image_url", rb"image\u005furl")).needs == {"image"}


def test_of_two_maxima_the_larger_one_is_reckoned_with() -> None:
    both = {"max_completion_tokens": 1, "max_tokens": 9000}
    assert request.read(body(**both)).max_tokens == 9000
