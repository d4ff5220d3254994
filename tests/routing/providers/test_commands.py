"""`manage.py check_providers`."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from routing.providers import loader


def test_every_shipped_file_passes_the_check() -> None:
    out = StringIO()

    call_command("check_providers", stdout=out)

    told = [line.partition(":")[0] for line in out.getvalue().splitlines()]
    assert told == sorted(loader.load_all())


def test_models_without_a_price_are_listed_on_demand() -> None:
    out = StringIO()

    call_command("check_providers", "--prices", stdout=out)

    assert "  google/gemma-2-2b-it" in out.getvalue().splitlines()


def test_a_file_with_a_mistake_fails_the_check_by_its_name(
    tmp_path: Path,
) -> None:
    (tmp_path / "acme.toml").write_text('slug = "acme"\n')

    with pytest.raises(CommandError, match=r"acme\.toml"):
        call_command("check_providers", folder=tmp_path)


def test_a_folder_without_files_and_a_file_that_is_no_text_fail_the_check(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="holds no catalogue file"):
        call_command("check_providers", folder=tmp_path)

    (tmp_path / "acme.toml").write_bytes(b"\xe8\x00")

    with pytest.raises(CommandError, match=r"acme\.toml"):
        call_command("check_providers", folder=tmp_path)


@pytest.mark.parametrize("command", [("try_provider", "groq"), ("sync_catalog", "--provider=groq")])
@pytest.mark.parametrize(
    ("name", "value"),
    [("FLO2_SYNC_KEY_GROQ", "schlüssel"), ("FLO2_PROVIDER_GROQ_BASE_URL", "nowhere")],
)
def test_a_key_or_an_address_that_cannot_be_one_is_named(
    monkeypatch: pytest.MonkeyPatch, command: tuple[str, str], name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(CommandError, match=name):
        call_command(*command)


def test_where_nobody_can_type_a_key_the_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO())

    with pytest.raises(CommandError, match="Set FLO2_SYNC_KEY_GROQ"):
        call_command("try_provider", "groq")


def test_an_endpoint_of_tenants_has_no_list_to_ask_for() -> None:
    with pytest.raises(CommandError, match="custom: "):
        call_command("sync_catalog", "--provider=custom")
