"""`manage.py try_provider`: a key and models tried, against the sandbox."""

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from routing.providers import catalog_index
from tests.servers.sandbox import Sandbox

pytestmark = pytest.mark.django_db
SLUGS = [slug for slug in catalog_index.current().providers if slug != "custom"]


def tried(slug: str, *models: str, sandbox: bool = True) -> list[str]:
    out = io.StringIO()
    call_command("try_provider", slug, model=list(models), sandbox=sandbox, stdout=out)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("slug", SLUGS)
def test_every_provider_answers_as_its_file_says(sandbox: Sandbox, slug: str) -> None:
    provider = catalog_index.current().providers[slug]
    model = next(model.id for model in provider.models if model.kind == "chat")

    key, whole, streamed = tried(slug, model)

    assert key.startswith("key: valid")
    for line, how in ((whole, "whole"), (streamed, "streamed")):
        assert line.startswith(f"ok     {model} {how}")
        assert " tokens, " in line
    assert len(sandbox.requests(slug)) == 3


def test_what_fails_is_named_and_the_rest_is_tried(sandbox: Sandbox) -> None:
    out = io.StringIO()
    sandbox.fail("groq", "500", times=2)  # the key check, and the whole answer

    with pytest.raises(CommandError, match="2 of 3 trials failed"):
        call_command(
            "try_provider", "groq", model=["llama-3.3-70b-versatile"], sandbox=True, stdout=out
        )

    key, whole, streamed = out.getvalue().splitlines()
    assert key.startswith("key: unverified")
    assert whole.startswith("FAILED llama-3.3-70b-versatile whole")
    assert "500 server" in whole
    assert streamed.startswith("ok")


def test_a_provider_that_nobody_knows_is_refused() -> None:
    with pytest.raises(CommandError, match="There is no provider acme"):
        tried("acme")


def test_the_key_of_the_environment_is_asked_for_at_the_providers_address(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setenv("FLO2_SYNC_KEY_GROQ", "good-groq-0123456789")
    monkeypatch.setenv("FLO2_PROVIDER_GROQ_BASE_URL", f"{sandbox.url}/groq/openai/v1")

    lines = tried("groq", "llama-3.3-70b-versatile", sandbox=False)

    assert lines[0].startswith("key: valid")
    assert not any("good-groq" in line for line in lines)
