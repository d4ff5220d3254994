"""A provider's own list of models, and a catalogue file brought up to it. Pure: text in, text out.

New models become rows, vanished ones are marked; nothing else of a file is touched, so that the
difference can be read by a person before it is kept.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from routing.providers.spec import MODEL_NAME, Listing, Provider

HEAD = "[[models]]"
_ID = re.compile(r'^id = "(.*)"$')


class NotAList(ValueError):
    """The answer is not the list that the catalogue file describes."""


@dataclass(frozen=True)
class Listed:
    """A model as its provider lists it."""

    id: str
    aliases: tuple[str, ...] = ()
    context: int | None = None
    output: int | None = None


@dataclass(frozen=True)
class Refreshed:
    """The file's new text, and what changed in it."""

    text: str
    new: tuple[str, ...]
    vanished: tuple[str, ...]


def read(body: bytes, listing: Listing) -> tuple[list[Listed], bool]:
    """The models of an answer, and whether these are all. Raises NotAList."""
    try:
        content = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise NotAList("the answer is not JSON") from None
    items = content if isinstance(content, list) else _at(content, listing.items)
    if not isinstance(items, list):
        raise NotAList(f"the answer has no list at {listing.items!r}")
    models = [_listed(item, listing) for item in items]
    is_complete = not (listing.more and _at(content, listing.more))
    return [model for model in models if model], is_complete


def refresh(
    text: str, provider: Provider, listed: Iterable[Listed], *, is_complete: bool = True
) -> Refreshed:
    """A catalogue file with rows for new models, and vanished ones marked as deprecated."""
    listed = list(listed)
    known = {name for model in provider.models for name in (model.id, *model.aliases)}
    new: list[Listed] = []
    for model in sorted(listed, key=lambda one: one.id):
        if model.id not in known:
            known.add(model.id)
            aliases = tuple(dict.fromkeys(alias for alias in model.aliases if alias not in known))
            new.append(replace(model, aliases=aliases))
            known |= set(aliases)
    names = {name for model in listed for name in (model.id, *model.aliases)}
    gone = [
        model.id
        for model in provider.models
        if not (model.deprecated or names & {model.id, *model.aliases})
    ]
    vanished = tuple(gone) if is_complete and names else ()
    lines = text.splitlines()
    for name in vanished:
        _deprecate(lines, name)
    for model in new:
        _insert(lines, model)
    return Refreshed("\n".join(lines) + "\n", tuple(model.id for model in new), vanished)


def _listed(item: Any, listing: Listing) -> Listed | None:
    """One card of a list; None for what could not be called by its name anyway."""
    name = _at(item, listing.id)
    if not isinstance(name, str):
        return None
    name = name.removeprefix(listing.id_prefix)
    if not MODEL_NAME.fullmatch(name):
        return None
    aliases = _at(item, listing.aliases)
    return Listed(
        id=name,
        aliases=tuple(
            alias
            for alias in (aliases if isinstance(aliases, list) else ())
            if isinstance(alias, str) and MODEL_NAME.fullmatch(alias) and alias != name
        ),
        context=_size(_at(item, listing.context)),
        output=_size(_at(item, listing.output)),
    )


def _size(value: Any) -> int | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and value >= 1 else None


def _at(content: Any, path: str) -> Any:
    """The value at a dotted path, or None."""
    if not path:
        return None
    for name in path.split("."):
        content = content.get(name) if isinstance(content, dict) else None
    return content


def _deprecate(lines: list[str], name: str) -> None:
    """Mark a row; `auto` no longer chooses it."""
    start = lines.index(f'id = "{name}"')
    end = _end_of_keys(lines, start)
    kept = [line for line in lines[start:end] if line != "auto = true"]
    lines[start:end] = [*kept, "deprecated = true"]


def _end_of_keys(lines: list[str], start: int) -> int:
    """The line after a row's own keys: a blank one, a table of its own, or the end."""
    for place in range(start, len(lines)):
        if not lines[place].strip() or lines[place].lstrip().startswith("["):
            return place
    return len(lines)


def _insert(lines: list[str], model: Listed) -> None:
    """Add a row, before the first one that follows it by name."""
    row = [HEAD, f'id = "{model.id}"']
    if model.aliases:
        quoted = ", ".join(f'"{alias}"' for alias in model.aliases)
        row.append(f"aliases = [{quoted}]")
    row += [f"context = {model.context}"] * (model.context is not None)
    row += [f"output = {model.output}"] * (model.output is not None)
    place = _place_of(lines, model.id)
    if place == len(lines):
        lines += ["", *row]
    else:
        lines[place:place] = [*row, ""]


def _place_of(lines: list[str], name: str) -> int:
    for place, line in enumerate(lines[:-1]):
        found = _ID.match(lines[place + 1])
        if line == HEAD and found and found[1] > name:
            remarks = 0
            while place > remarks and lines[place - remarks - 1].startswith("#"):
                remarks += 1  # a remark belongs to the row after it
            return place - remarks
    return len(lines)
