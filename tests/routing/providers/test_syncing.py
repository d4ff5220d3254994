"""The catalogue beside the providers' own lists: a diff that a person can read."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from hypothesis import given
from hypothesis import strategies as st

from routing.providers import loader, syncing
from routing.providers.spec import Listing, Provider
from routing.providers.syncing import Listed
from tests.servers.sandbox import Sandbox

ACME = """
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

[listing]
aliases = "aliases"
context = "meta.context"
output = "meta.most"

# The first one.
[[models]]
id = "b-large"
context = 1000
auto = true

  [[models.prices]]
  since = 2026-01-01
  input = 1.0
  output = 2.0

[[models]]
id = "d-small"
aliases = ["small-latest"]
deprecated = true
"""


def provider(text: str = ACME) -> Provider:
    return loader.read(text, "acme")


def refreshed(*listed: Listed, text: str = ACME, is_complete: bool = True) -> str:
    return syncing.refresh(text, provider(text), listed, is_complete=is_complete).text


def test_a_list_is_read_as_the_file_says_where_things_stand() -> None:
    listing = Listing(
        items="models", id="name", id_prefix="models/", aliases="aka", context="in", output="o.max"
    )
    cards = [
        {"name": "models/a", "aka": ["b", 5, "a"], "in": 5000.0, "o": {"max": 70}},
        {"name": "models/c", "in": 0, "o": None},
        {"name": "not a name"},
        {"id": "d"},
        "e",
    ]

    listed, is_complete = syncing.read(msgspec.json.encode({"models": cards}), listing)

    assert listed == [Listed("a", ("b",), 5000, 70), Listed("c")]
    assert is_complete


def test_a_bare_list_is_read_too() -> None:
    assert syncing.read(b'[{"id": "a"}]', Listing()) == ([Listed("a")], True)


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"data": {}}', b'{"models": []}', b"5"])
def test_what_is_no_list_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(syncing.NotAList):
        syncing.read(body, Listing())


@pytest.mark.parametrize(("more", "is_complete"), [(True, False), ("x", False), (False, True)])
def test_a_list_with_more_pages_is_not_complete(more: Any, is_complete: bool) -> None:
    body = msgspec.json.encode({"data": [], "has_more": more})

    assert syncing.read(body, Listing(more="has_more")) == ([], is_complete)


def test_new_models_become_rows_in_their_place() -> None:
    text = refreshed(
        Listed("a-new"), Listed("b-large"), Listed("c-new", ("c",), 5, 6), Listed("z"),
        Listed("d-small"),
    )  # fmt: skip

    models = provider(text).models
    assert [model.id for model in models] == ["a-new", "b-large", "c-new", "d-small", "z"]
    assert models[2].aliases == ("c",)
    assert (models[2].context, models[2].output) == (5, 6)
    assert '# The first one.\n[[models]]\nid = "b-large"' in text
    assert not any(model.auto for model in models if model.id != "b-large")


def test_vanished_models_are_marked_and_auto_chooses_them_no_more() -> None:
    text = refreshed(Listed("d-small"))

    large = provider(text).models[0]
    assert large.deprecated
    assert not large.auto
    assert large.prices == provider().models[0].prices


def test_a_model_that_is_listed_by_an_alias_is_not_new_and_not_gone() -> None:
    assert refreshed(Listed("b-large"), Listed("small-latest")) == ACME


def test_an_alias_that_another_model_has_is_left_to_it() -> None:
    text = refreshed(
        Listed("b-large"), Listed("e", ("small-latest", "e-latest")), Listed("d-small")
    )

    assert provider(text).models[-1].aliases == ("e-latest",)


def test_nothing_is_marked_by_a_list_that_is_not_complete() -> None:
    text = refreshed(Listed("n"), is_complete=False)

    assert not provider(text).models[0].deprecated
    assert provider(text).models[-1].id == "n"


NAMES = st.text("abcz./:-", min_size=1, max_size=6)
LISTED = st.builds(
    Listed,
    id=NAMES,
    aliases=st.lists(NAMES, max_size=2).map(tuple),
    context=st.none() | st.integers(1, 10**7),
)


@given(st.lists(LISTED, min_size=1, max_size=8))
def test_any_list_makes_a_sound_file_and_the_second_time_nothing_changes(
    listed: list[Listed],
) -> None:
    once = refreshed(*listed)

    assert {one.id for one in listed} <= {
        name for model in provider(once).models for name in (model.id, *model.aliases)
    }
    assert refreshed(*listed, text=once) == once


# The command -------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "catalog"
    folder.mkdir()
    (folder / "acme.toml").write_text(ACME.lstrip())
    for slug in ("groq", "mistral", "openrouter"):
        (folder / f"{slug}.toml").write_text((loader.FOLDER / f"{slug}.toml").read_text())
    return folder


@pytest.fixture
def played(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three providers, played by the sandbox."""
    bases = {
        "groq": "/groq/openai/v1",
        "mistral": "/mistral/v1",
        "openrouter": "/openrouter/api/v1",
    }
    for slug, path in bases.items():
        monkeypatch.setenv(f"FLO2_PROVIDER_{slug.upper()}_BASE_URL", sandbox.url + path)


def sync(folder: Path, *options: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("sync_catalog", *options, folder=folder, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def saved(folder: Path, *names: str) -> str:
    path = folder.parent / "list.json"
    path.write_text(json.dumps({"object": "list", "data": [{"id": name} for name in names]}))
    return str(path)


def test_a_saved_list_is_shown_as_a_diff_and_kept_only_when_asked(folder: Path) -> None:
    before = (folder / "acme.toml").read_text()
    options = ("--provider", "acme", "--from", saved(folder, "c-new", "d-small"))

    diff, said = sync(folder, *options)

    assert "--- a/routing/providers/catalog/acme.toml" in diff
    assert '+id = "c-new"' in diff
    assert "+deprecated = true" in diff
    assert "-auto = true" in diff
    assert "acme: 2 listed, 1 new, 1 gone" in said
    assert (folder / "acme.toml").read_text() == before

    sync(folder, *options, "--write")
    assert loader.load(folder / "acme.toml").models[1].id == "c-new"
    assert sync(folder, *options)[0] == ""


def test_a_provider_is_asked_with_the_operators_key(
    folder: Path, played: None, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLO2_SYNC_KEY_MISTRAL", "good-mistral-0123456789")

    diff, said = sync(folder, "--provider", "mistral")

    assert "mistral: 3 listed, 0 new" in said
    assert "+deprecated = true" in diff
    assert sandbox.requests("mistral")[0]["path"].endswith("/v1/models")


def test_a_public_list_needs_no_key_and_tells_contexts(
    folder: Path, played: None, sandbox: Sandbox
) -> None:
    _, said = sync(folder, "--provider", "openrouter")

    assert "openrouter: " in said
    assert "authorization" not in sandbox.requests("openrouter")[0]["headers"]


def test_one_provider_that_cannot_be_asked_does_not_keep_the_others(
    folder: Path, played: None
) -> None:
    (folder / "acme.toml").unlink()

    diff, said = sync(folder)

    assert "groq: set FLO2_SYNC_KEY_GROQ to a key of Groq" in said
    assert "openrouter.toml" in diff


def test_a_refused_key_is_told_with_the_providers_words(
    folder: Path, played: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLO2_SYNC_KEY_GROQ", "bad-key")

    with pytest.raises(CommandError, match="groq: answered 401: Invalid API Key"):
        sync(folder, "--provider", "groq")


def test_an_empty_list_marks_nothing(folder: Path) -> None:
    with pytest.raises(CommandError, match="empty"):
        sync(folder, "--provider", "acme", "--from", saved(folder))


def test_a_list_of_nobody_is_refused(folder: Path) -> None:
    with pytest.raises(CommandError, match="--provider"):
        sync(folder, "--from", saved(folder, "m"))
    with pytest.raises(CommandError, match="no provider nobody"):
        sync(folder, "--provider", "nobody")
