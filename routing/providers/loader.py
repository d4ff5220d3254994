"""Catalogue files: TOML → `Provider`, with errors that name the file and the key."""

import tomllib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from routing.providers import rules
from routing.providers.spec import Provider

FOLDER = Path(__file__).parent / "catalog"


class CatalogProblem(Exception):
    """A catalogue file that cannot be used: says which file and what to change."""


def load_all(folder: Path = FOLDER) -> dict[str, Provider]:
    """Every provider of a folder by slug, in alphabetical order. Raises CatalogProblem."""
    paths = sorted(folder.glob("*.toml"))
    if not paths:
        raise CatalogProblem(f"{folder} holds no catalogue file")
    providers = (load(path) for path in paths)
    return {provider.slug: provider for provider in providers}


def load(path: Path) -> Provider:
    """Raises CatalogProblem."""
    try:
        return read(path.read_text(), path.stem)
    except (CatalogProblem, OSError, UnicodeDecodeError) as problem:
        raise CatalogProblem(f"{path.name}: {problem}") from None


def read(text: str, stem: str) -> Provider:
    """The provider that a file of this name describes. Raises CatalogProblem."""
    try:
        content = tomllib.loads(text, parse_float=Decimal)
        _inherit_quirks(content)
        provider = msgspec.convert(content, Provider)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise CatalogProblem(str(error)) from None
    for problem in problems(provider, stem):
        raise CatalogProblem(problem)
    return provider


def problems(provider: Provider, stem: str) -> Iterator[str]:
    """What a type cannot say about a catalogue file."""
    if provider.slug != stem:
        yield f"slug is {provider.slug!r}, but the file is named {stem}.toml"
    yield from rules.problems(provider)


def _inherit_quirks(content: dict[str, Any]) -> None:
    """A model's quirks are its provider's, but for those that the model names itself."""
    shared = content.get("quirks")
    models = content.get("models")
    if not isinstance(shared, dict) or not isinstance(models, list):
        return
    for model in models:
        if isinstance(model, dict) and isinstance(model.get("quirks"), dict):
            model["quirks"] = {**shared, **model["quirks"]}
