"""Names and ids of tools, as Anthropic takes them, and back.

Whoever reads an answer does not know its request. So what had to be changed carries its own
explanation: a name with characters that Anthropic refuses is escaped behind a prefix, a tool of
free text ends in a suffix, and the tool that stands for a JSON answer has a reserved name.
"""

import re

from accounts.errors import InvalidRequest
from routing.conversation import ToolKind

JSON_TOOL = "flo2_json_output"
LONGEST_NAME = 128

_PREFIX, _SUFFIX = "flo2x-", "__free_text"
_NAME = re.compile(r"[a-zA-Z0-9_-]+")
_PLAIN = re.compile(r"[a-zA-Z0-9]")
_ESCAPE = re.compile(rb"-([0-9A-F]{2})")
_NOT_IN_IDS = re.compile(r"[^a-zA-Z0-9_-]")


def to_wire(name: str, kind: ToolKind = "function") -> str:
    """A tool's name for Anthropic. Raises InvalidRequest if it cannot be written."""
    if not _NAME.fullmatch(name) or _is_reserved(name):
        name = _PREFIX + "".join(map(_escaped, name))
    if kind == "custom":
        name += _SUFFIX
    if len(name) > LONGEST_NAME:
        raise InvalidRequest(
            f"tools: the name {name[:40]}… is longer than {LONGEST_NAME} characters.", param="tools"
        )
    return name


def from_wire(name: str) -> tuple[str, ToolKind]:
    """The tool's own name, and its kind."""
    kind: ToolKind = "function"
    if name.endswith(_SUFFIX):
        name, kind = name.removesuffix(_SUFFIX), "custom"
    if name.startswith(_PREFIX):
        escaped = name.removeprefix(_PREFIX).encode()
        name = _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), escaped).decode(
            errors="replace"
        )
    return name, kind


def id_to_wire(call_id: str) -> str:
    """An id of a call with only the characters that Anthropic takes."""
    return _NOT_IN_IDS.sub("_", call_id) or "call"


def is_id(call_id: str) -> bool:
    return bool(call_id) and not _NOT_IN_IDS.search(call_id)


def _is_reserved(name: str) -> bool:
    return name == JSON_TOOL or name.startswith(_PREFIX) or name.endswith(_SUFFIX)


def _escaped(character: str) -> str:
    if _PLAIN.fullmatch(character):
        return character
    return "".join(f"-{byte:02X}" for byte in character.encode())
