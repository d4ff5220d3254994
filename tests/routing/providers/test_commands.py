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
