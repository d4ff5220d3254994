"""Tokens, estimated: four bytes each, and never part of a character. Pure."""

import hashlib
from typing import Any, Final, NamedTuple

import msgspec

from routing.sandbox.memory import Part

BYTES_PER_TOKEN: Final = 4

# Parts of messages that carry media, by the type or the field that shows it, and their tokens.
_MEDIA_TYPES: Final = {
    "image_url": 765,
    "input_image": 765,
    "image": 765,
    "input_audio": 500,
    "file": 1500,
    "input_file": 1500,
    "document": 1500,
    "document_url": 1500,
}
_MEDIA_FIELDS: Final = {"inlineData": 258, "inline_data": 258, "fileData": 258, "file_data": 258}


def pieces(text: str) -> list[str]:
    """The text in tokens: as many whole characters as fit into four bytes, at least one."""
    if text.isascii():
        return [text[at : at + BYTES_PER_TOKEN] for at in range(0, len(text), BYTES_PER_TOKEN)]
    found, piece, size = [], "", 0
    for character in text:
        width = len(character.encode("utf-8", "surrogatepass"))
        if piece and size + width > BYTES_PER_TOKEN:
            found.append(piece)
            piece, size = "", 0
        piece += character
        size += width
    return [*found, piece] if piece else found


def tokens_of(text: str) -> int:
    """How many tokens the model writes for a text."""
    return len(pieces(text))


class Weight(NamedTuple):
    """Bytes of text in a part of a prompt, and tokens of its media."""

    text: int
    media: int = 0


def weight(value: Any) -> Weight:
    """What a part of a prompt weighs, with all that is in it."""
    if isinstance(value, str):
        return Weight(len(value.encode("utf-8", "surrogatepass")))
    if isinstance(value, list):
        return _sum([weight(inner) for inner in value])
    if not isinstance(value, dict):
        return Weight(BYTES_PER_TOKEN)
    if media := _media_tokens(value):
        return Weight(0, media)
    fields = {name: inner for name, inner in value.items() if name != "cache_control"}
    names = Weight(sum(len(name) for name in fields))
    return _sum([names, *(weight(inner) for inner in fields.values())])


def _sum(weights: list[Weight]) -> Weight:
    return Weight(sum(one.text for one in weights), sum(one.media for one in weights))


def _media_tokens(value: dict[str, Any]) -> int:
    kind = value.get("type")
    if isinstance(kind, str) and kind in _MEDIA_TYPES:
        return _MEDIA_TYPES[kind]
    return next((count for name, count in _MEDIA_FIELDS.items() if name in value), 0)


def media_tokens(value: Any) -> int:
    """Tokens of the images, sounds and documents in a part of a prompt."""
    return weight(value).media


def part(value: Any, mark: str = "") -> Part:
    """A part of a prompt, weighed."""
    size, media = weight(value)
    digest = hashlib.blake2b(msgspec.json.encode(_unmarked(value)), digest_size=16).digest()
    return Part(-(-size // BYTES_PER_TOKEN) + media, digest, mark)


def _unmarked(value: Any) -> Any:
    """The value without cache marks, which move from turn to turn."""
    if isinstance(value, dict):
        return {key: _unmarked(inner) for key, inner in value.items() if key != "cache_control"}
    return [_unmarked(inner) for inner in value] if isinstance(value, list) else value
