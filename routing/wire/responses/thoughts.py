"""Thoughts on their way to a caller who keeps them, and back: `encrypted_content`.

What the provider signed or hid travels in a token that only this gateway reads, so that a caller
who sends the whole history gives it back. The text itself stands in the item's summary.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import crc32

import msgspec

from routing.conversation import HiddenThinking, Json, Thinking
from routing.wire.responses import fields

PREFIX = "flo2.1."
ENCRYPTED = "reasoning.encrypted_content"  # in `include`


class Token(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """`check` is of the text that was signed; `call` is the id of the call that is signed."""

    signer: str = msgspec.field(default="", name="s")
    signature: str = msgspec.field(default="", name="g")
    data: str = msgspec.field(default="", name="d")
    call: str = msgspec.field(default="", name="t")
    check: int = msgspec.field(default=0, name="c")


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Token).decode


def token_of(block: Thinking | HiddenThinking, *, is_wanted: bool) -> str | None:
    """What must come back with these thoughts. Thoughts that nobody signed have a token only
    where the caller asks for one: some clients give back no others (Vercel AI SDK 4.0)."""
    if isinstance(block, HiddenThinking):
        return _mint(Token(signer=block.signer, data=block.data))
    if block.signature:
        check = crc32(block.text.encode())
        return _mint(Token(signer=block.signer, signature=block.signature, check=check))
    return _mint(Token()) if is_wanted and block.text else None


def token_of_call(call_id: str, signature: str) -> str:
    """The signature of a call, which travels in an item of its own before the call's."""
    return _mint(Token(signature=signature, call=call_id))


def read(item: Json, place: str) -> Thinking | HiddenThinking | Token | None:
    """The thoughts of a reasoning item, a Token if it signs a call, None if it has nothing to
    give. Raises InvalidRequest."""
    sealed = fields.text(item, "encrypted_content", place)
    token = _open(sealed) if sealed else Token()
    if token is None or token.call:
        return token if token and token.signature else None
    if token.data:
        return HiddenThinking(data=token.data, signer=token.signer)
    text = _text(item, place)
    if token.signature and token.check == crc32(text.encode()):
        return Thinking(text=text, signature=token.signature, signer=token.signer)
    return Thinking(text=text) if text else None


def _text(item: Json, place: str) -> str:
    parts = fields.objects(item, "summary", place) or fields.objects(item, "content", place)
    return "\n\n".join(fields.text(part, "text", here) for here, part in parts)


def _mint(token: Token) -> str:
    return PREFIX + urlsafe_b64encode(_encode(token)).decode()


def _open(sealed: str) -> Token | None:
    """What a token says; None if it is not ours."""
    if not sealed.startswith(PREFIX):
        return None
    try:
        return _decode(urlsafe_b64decode(sealed.removeprefix(PREFIX)))
    except (ValueError, msgspec.MsgspecError):
        return None
