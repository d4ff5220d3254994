"""Signatures of thinking blocks: minted here, and refused if the block was changed."""

import base64
import hashlib
from typing import Any

from routing.sandbox.dialects.messages.turns import blocks_of
from routing.sandbox.problems import Problem, Refused
from routing.sandbox.profile import Json

_PREFIX = b"sandbox-thinking:"


def of(thinking: str) -> str:
    """The signature of a thought."""
    return base64.b64encode(hashlib.blake2b(_PREFIX + thinking.encode()).digest()).decode()


def check(messages: list[Json]) -> None:
    """Refuse thinking that nobody signed, or that was changed since. Raises Refused.

    Thoughts that were omitted come back empty, so that only the form of their signature is checked.
    """
    for index, message in enumerate(messages):
        for number, block in enumerate(blocks_of(message)):
            if block.get("type") == "thinking" and not _is_signed(block):
                place = f"messages.{index}.content.{number}"
                raise Refused(
                    Problem(
                        status=400,
                        message=f"{place}: Invalid `signature` in `thinking` block",
                        type="invalid_request_error",
                    )
                )


def _is_signed(block: dict[str, Any]) -> bool:
    thinking, signature = block.get("thinking"), block.get("signature")
    if not isinstance(thinking, str) or not isinstance(signature, str):
        return False
    return signature == of(thinking) if thinking else len(signature) == len(of(""))
