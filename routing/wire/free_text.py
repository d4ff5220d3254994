"""Custom tools, whose input is free text, where a provider knows them as functions of one text."""

import msgspec


class _Input(msgspec.Struct, frozen=True, gc=False):
    input: str


_decode = msgspec.json.Decoder(_Input).decode


def unwrapped(arguments: str) -> str:
    """The text within a function's arguments; all of them where they are something else."""
    try:
        return _decode(arguments).input
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return arguments  # cut off, or the model did not keep to the schema
