"""What each provider really sends is read as its folder says; a new provider needs no code."""

import tomllib
from itertools import pairwise
from pathlib import Path

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from routing import dialects
from routing.key_checks import read as read_key_check
from routing.providers import loader
from routing.providers.spec import Provider
from routing.upstream import failures
from routing.upstream.client import Fetched
from routing.wire.openai import request
from tests.routing.providers import recordings
from tests.routing.providers.recordings import FOLDER
from tests.servers.sandbox import Sandbox

PROVIDERS = loader.load_all()
EVERY = pytest.mark.parametrize("provider", PROVIDERS.values(), ids=PROVIDERS.keys())
OPENAI_SPEAKING = [one for one in PROVIDERS.values() if one.wire == "openai"]


def content(provider: Provider, name: str, folder: Path = FOLDER) -> bytes:
    return (folder / provider.slug / name).read_bytes()


@EVERY
def test_every_catalogue_file_has_its_folder(provider: Provider) -> None:
    assert recordings.missing(provider.slug) == []


def test_every_folder_has_its_catalogue_file() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(PROVIDERS)


@EVERY
def test_an_answer_is_read_as_the_folder_says(provider: Provider) -> None:
    expected = recordings.of(provider.slug).reply

    found = recordings.read_whole(provider, content(provider, "reply.json"), expected.model)

    assert found == expected


@EVERY
def test_a_stream_is_read_as_the_folder_says(provider: Provider) -> None:
    expected = recordings.of(provider.slug).stream

    found = recordings.read_stream(provider, [content(provider, "stream.sse")], expected.model)

    assert found == expected


@EVERY
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_stream_says_the_same_however_the_network_cuts_it(
    provider: Provider, data: st.DataObject
) -> None:
    expected, whole = recordings.of(provider.slug).stream, content(provider, "stream.sse")
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=8)))
    borders = [0, *cuts, len(whole)]
    blocks = [whole[a:b] for a, b in pairwise(borders)]

    found = recordings.read_stream(provider, blocks, expected.model)

    assert found == expected


@EVERY
@pytest.mark.parametrize("name", ["bad_key", "rate_limited"])
def test_a_refusal_is_classified_as_the_folder_says(provider: Provider, name: str) -> None:
    expected = getattr(recordings.of(provider.slug), name)

    failure = failures.classify(expected.status, (), content(provider, f"{name}.json"))

    assert failure.kind == expected.kind
    assert failure.retry_after_s == expected.retry_after_s
    assert failure.message


@EVERY
def test_a_bad_key_is_found_out_by_the_key_check(provider: Provider) -> None:
    expected = recordings.of(provider.slug).bad_key
    body = content(provider, "bad_key.json")

    finding = read_key_check(provider, Fetched(expected.status, [], body))

    assert finding.status == "invalid"


PLAYED = [
    one
    for one in PROVIDERS.values()
    if not (one.has_own_url or recordings.of(one.slug).request.is_signed)
]


@pytest.mark.parametrize("provider", PLAYED, ids=[one.slug for one in PLAYED])
def test_the_sandbox_takes_the_request_of_the_folder(provider: Provider, sandbox: Sandbox) -> None:
    base = provider.base_url.split("/", 3)[3]
    path = recordings.of(provider.slug).request.path
    credential = {
        "bearer": {"Authorization": "Bearer good-key-0123456789"},
        "x-api-key": {"x-api-key": "good-key-0123456789"},
        "x-goog-api-key": {"x-goog-api-key": "good-key-0123456789"},
    }[provider.auth]
    headers = {**credential, **provider.headers, "Content-Type": "application/json"}

    answer = httpx.post(
        f"{sandbox.url}/{provider.slug}/{base}{path}",
        content=content(provider, "request.json"),
        headers=headers,
        trust_env=False,
    )

    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("provider", OPENAI_SPEAKING, ids=[one.slug for one in OPENAI_SPEAKING])
def test_a_request_that_a_provider_takes_is_sent_as_it_is(provider: Provider) -> None:
    raw = content(provider, "request.json")
    chat = request.read(raw)
    quirks = recordings.quirks(provider, chat.model)

    written = dialects.SHORT_CUTS["openai"].write(chat, chat.model, None, quirks)

    assert written.path.decode() == recordings.of(provider.slug).request.path
    assert written.adapted == ()
    assert msgspec.json.decode(written.body) == msgspec.json.decode(raw)


# A provider that nobody has heard of ------------------------------------------------------------

ACME = """
slug = "acme"
label = "Acme"
wire = "openai"
base_url = "https://api.acme.example/v1"
auth = "bearer"
keys_url = "https://acme.example/keys"
docs_url = "https://acme.example/docs"
good_at = "Showing that no code is needed"

[key_check]
path = "/models"

[quirks]
drop = ["logit_bias"]
rename = { max_completion_tokens = "max_tokens" }
developer_as = "system"
reported_cost_in = "price"
reported_cost_unit = 0.01

[[models]]
id = "acme-large"
family = "llama-3.3-70b"
context = 131072
can = ["tools"]

  [[models.prices]]
  since = 2026-01-15
  input = 0.35
  output = 0.75
"""
RECORDED = {
    "request.json": '{"model": "acme-large", "messages": [{"role": "user", "content": "Hi"}]}',
    "reply.json": """{"id": "a1", "model": "acme-large", "choices": [{"index": 0,
        "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4, "price": 0.5}}""",
    "stream.sse": """data: {"id":"a2","model":"acme-large","choices":[{"index":0,\
"delta":{"content":"Hel"}}]}

data: {"id":"a2","model":"acme-large","choices":[{"index":0,"delta":{"content":"lo"},\
"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"price":0.5}}

data: [DONE]

""",
    "bad_key.json": '{"error": {"message": "Who are you?", "code": "unknown_key"}}',
    "rate_limited.json": '{"message": "Not so fast"}',
    "expected.toml": """
[request]
path = "/chat/completions"
[reply]
model = "acme-large"
text = "Hello"
thoughts = ""
finish = "stop"
usage = { input_uncached = 3, output_visible = 1 }
reported_cost = "0.005"
[stream]
model = "acme-large"
text = "Hello"
thoughts = ""
finish = "stop"
usage = { input_uncached = 3, output_visible = 1 }
reported_cost = "0.005"
[bad_key]
status = 401
kind = "auth"
[rate_limited]
status = 429
kind = "rate_limit"
""",
}


@pytest.fixture
def acme(tmp_path: Path) -> Provider:
    """One TOML and one folder, and no Python."""
    (tmp_path / "catalog").mkdir()
    (tmp_path / "catalog" / "acme.toml").write_text(ACME)
    (tmp_path / "acme").mkdir()
    for name, text in RECORDED.items():
        (tmp_path / "acme" / name).write_text(text)
    return loader.load_all(tmp_path / "catalog")["acme"]


def test_a_new_provider_is_a_file_and_a_folder(acme: Provider, tmp_path: Path) -> None:
    assert recordings.missing("acme", tmp_path) == []
    its = recordings.of("acme", tmp_path)

    whole = recordings.read_whole(acme, content(acme, "reply.json", tmp_path), "acme-large")
    stream = [content(acme, "stream.sse", tmp_path)]
    streamed = recordings.read_stream(acme, stream, "acme-large")

    assert whole == its.reply
    assert streamed == its.stream
    for name in ("bad_key", "rate_limited"):
        refused = getattr(its, name)
        body = content(acme, f"{name}.json", tmp_path)
        assert failures.classify(refused.status, (), body).kind == refused.kind


def test_a_new_provider_is_asked_as_its_file_says(acme: Provider) -> None:
    body = {
        "model": "llama-3.3-70b",
        "messages": [{"role": "developer", "content": "Be brief."}],
        "max_completion_tokens": 5,
        "logit_bias": {"1": 1},
    }
    chat = request.read(msgspec.json.encode(body))

    written = dialects.SHORT_CUTS["openai"].write(
        chat, "acme-large", acme.models[0], acme.quirks_of(acme.models[0])
    )

    assert set(written.adapted) == {"max_completion_tokens", "logit_bias"}
    assert msgspec.json.decode(written.body) == {
        "model": "acme-large",
        "messages": [{"role": "system", "content": "Be brief."}],
        "max_tokens": 5,
    }


def test_a_folder_that_lacks_a_file_is_named(acme: Provider, tmp_path: Path) -> None:
    (tmp_path / "acme" / "stream.sse").unlink()

    assert recordings.missing("acme", tmp_path) == ["stream.sse"]
    assert recordings.missing("nobody", tmp_path) == list(recordings.FILES)


def test_an_expectation_with_a_misspelt_field_is_refused(acme: Provider, tmp_path: Path) -> None:
    path = tmp_path / "acme" / "expected.toml"
    path.write_text(path.read_text().replace("thoughts", "thougts"))

    with pytest.raises(msgspec.ValidationError, match="thougts"):
        recordings.of("acme", tmp_path)
    assert tomllib.loads(path.read_text())
