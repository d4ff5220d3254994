"""Gemini's answers, read into the neutral middle. A whole answer and an event have one shape."""

import secrets
from collections.abc import Iterable
from typing import Any

import msgspec

from billing.usage import LARGEST, Usage
from routing.conversation import (
    Answer,
    Block,
    Finish,
    MediaPiece,
    Piece,
    Refusal,
    RefusalPiece,
    SignaturePiece,
    Text,
    TextPiece,
    Thinking,
    ThinkingPiece,
    ToolBegun,
    ToolCall,
    ToolPiece,
)
from routing.providers.spec import Quirks
from routing.wire.failed import NotAnAnswer

SIGNER = "gemini"

# Why an answer ended (google-genai 3.3, FinishReason). A reason that is not here is a `stop`.
FINISHES: dict[str, Finish] = {
    "MAX_TOKENS": "length", "CONTINUATION": "length",
    "SAFETY": "content_filter", "RECITATION": "content_filter", "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter", "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter", "ESCALATION": "content_filter", "MODEL_ARMOR": "content_filter",
    "PUP_LIMITED_DISABLED": "content_filter", "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter", "IMAGE_RECITATION": "content_filter",
    "IMAGE_OTHER": "content_filter",
}  # fmt: skip
# The model wrote what nobody can use: worth another try, and no answer.
FAILURES = frozenset({
    "MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE",
})  # fmt: skip


class _Call(msgspec.Struct, frozen=True, gc=False):
    name: str = ""
    id: str | None = None
    args: msgspec.Raw = msgspec.Raw(b"")


class _Blob(msgspec.Struct, frozen=True, gc=False):
    mimeType: str = ""  # noqa: N815
    data: str = ""


class Part(msgspec.Struct, frozen=True, gc=False):
    text: str | None = None
    thought: bool | None = None
    thoughtSignature: str | None = None  # noqa: N815  Google's own names
    functionCall: _Call | None = None  # noqa: N815
    inlineData: _Blob | None = None  # noqa: N815


class _Content(msgspec.Struct, frozen=True, gc=False):
    parts: list[Part] | None = None


class Candidate(msgspec.Struct, frozen=True, gc=False):
    content: _Content | None = None
    finishReason: str | None = None  # noqa: N815
    finishMessage: str | None = None  # noqa: N815
    index: int = 0

    @property
    def parts(self) -> Iterable[Part]:
        return (self.content.parts if self.content else None) or ()


class _Count(msgspec.Struct, frozen=True, gc=False):
    modality: str = ""
    tokenCount: int = 0  # noqa: N815


class _Figures(msgspec.Struct, frozen=True, gc=False):
    promptTokenCount: int  # noqa: N815
    cachedContentTokenCount: int = 0  # noqa: N815
    candidatesTokenCount: int = 0  # noqa: N815
    thoughtsTokenCount: int = 0  # noqa: N815
    toolUsePromptTokenCount: int = 0  # noqa: N815
    promptTokensDetails: list[_Count] | None = None  # noqa: N815
    cacheTokensDetails: list[_Count] | None = None  # noqa: N815
    candidatesTokensDetails: list[_Count] | None = None  # noqa: N815


class _Feedback(msgspec.Struct, frozen=True, gc=False):
    blockReason: str | None = None  # noqa: N815
    blockReasonMessage: str | None = None  # noqa: N815


class _WithoutFigures(msgspec.Struct, frozen=True, gc=False):
    candidates: list[Candidate] | None = None
    promptFeedback: _Feedback | None = None  # noqa: N815
    modelVersion: str = ""  # noqa: N815
    error: Any = None

    @property
    def candidate(self) -> Candidate | None:
        """The first candidate: no other is ever asked for."""
        for one in self.candidates or ():
            if one.index == 0:
                return one
        return None

    @property
    def has_error(self) -> bool:
        return self.error is not None and self.error not in ({}, "")


class Body(_WithoutFigures, frozen=True, gc=False):
    usageMetadata: _Figures | None = None  # noqa: N815


_decode = msgspec.json.Decoder(Body).decode
_decode_without_figures = msgspec.json.Decoder(_WithoutFigures).decode


def decode(data: bytes) -> Body:
    """A body or an event; its figures only if they are counts. Raises what msgspec raises."""
    try:
        return _decode(data)
    except msgspec.ValidationError:
        return Body(*msgspec.structs.astuple(_decode_without_figures(data)))


def read_answer(body: bytes, quirks: Quirks) -> Answer:
    """A provider's answer. Raises NotAnAnswer for what is none, which is worth another try."""
    try:
        content = decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise NotAnAnswer("the body is not a generateContent answer") from None
    candidate = content.candidate
    reason = (candidate and candidate.finishReason) or ""
    if content.has_error or reason in FAILURES:
        raise NotAnAnswer(f"the body carries an error {reason}".rstrip())
    refused = blocked(content)
    if candidate is None and not refused:
        raise NotAnAnswer("the body has no candidate")
    found: list[Piece] = []
    calls = add_pieces(found, candidate.parts if candidate else (), 0)
    finish = "content_filter" if refused else finish_of(reason, has_calls=calls > 0)
    if not refused and finish == "content_filter" and not found:
        refused = filtered(candidate)
    if refused:
        found.append(RefusalPiece(refused))
    return Answer(
        blocks=tuple(_blocks(found)),
        finish=finish,
        model=content.modelVersion,
        usage=usage_of(content.usageMetadata),
    )


def add_pieces(found: list[Piece], parts: Iterable[Part], calls: int) -> int:
    """Add the pieces that parts make; answers how many calls there are now, `calls` before."""
    for part in parts:
        text, call, signature = part.text, part.functionCall, part.thoughtSignature
        if call is not None:
            id_ = call.id or f"call_{secrets.token_urlsafe(16)}"
            signed = signature or ""
            found.append(ToolBegun(index=calls, id=id_, name=call.name, signature=signed))
            found.append(ToolPiece(calls, _arguments(call.args)))
            calls += 1
            continue
        if text:
            found.append(ThinkingPiece(text) if part.thought else TextPiece(text))
        if part.inlineData and not part.thought:  # drafts of an image are thoughts
            found.append(MediaPiece(part.inlineData.mimeType, part.inlineData.data))
        if signature:
            found.append(SignaturePiece(signature, SIGNER))
    return calls


def _arguments(args: msgspec.Raw) -> str:
    """The arguments without the white space that Google sets whole answers with."""
    written = bytes(args)
    if not written or written == b"null":
        return "{}"
    return msgspec.json.format(written, indent=-1).decode()


def finish_of(reason: str, *, has_calls: bool) -> Finish:
    finish = FINISHES.get(reason, "stop")
    return "tool_calls" if has_calls and finish == "stop" else finish


def blocked(content: Body) -> str:
    """Why the prompt was not let through; empty where it was."""
    feedback = content.promptFeedback
    if feedback is None or not feedback.blockReason or content.candidates:
        return ""
    told = feedback.blockReasonMessage
    return f"The provider blocked the prompt: {feedback.blockReason}.{f' {told}' if told else ''}"


def filtered(candidate: Candidate | None) -> str:
    """Why an answer was withheld."""
    reason = candidate.finishReason if candidate else ""
    told = candidate.finishMessage if candidate else ""
    return f"The provider withheld the answer: {reason}.{f' {told}' if told else ''}"


def usage_of(figures: _Figures | None) -> Usage | None:
    """Gemini's figures in our buckets: there, thoughts stand beside the candidates, the cache is
    in the prompt, and what server-side tools returned is beside both.

    None where a figure is not a count. Modalities are told apart only where their figures fit.
    """
    if figures is None:
        return None
    prompt, cached = figures.promptTokenCount, figures.cachedContentTokenCount
    visible, thoughts = figures.candidatesTokenCount, figures.thoughtsTokenCount
    by_tools = figures.toolUsePromptTokenCount
    if not (
        0 <= cached <= prompt <= LARGEST
        and 0 <= visible <= LARGEST
        and 0 <= thoughts <= LARGEST
        and 0 <= by_tools <= LARGEST
    ):
        return None
    audio_in = image_in = audio_out = 0
    if figures.promptTokensDetails:
        audio_in, image_in = _media(figures, prompt - cached)
    if figures.candidatesTokensDetails:
        audio_out = _of("AUDIO", figures.candidatesTokensDetails)
        audio_out = audio_out if 0 <= audio_out <= visible else 0
    return Usage(
        input_uncached=prompt - cached - audio_in - image_in + by_tools,
        cache_read=cached,
        output_visible=visible - audio_out,
        reasoning=thoughts,
        audio_in=audio_in,
        audio_out=audio_out,
        image_in=image_in,
    )


def _media(figures: _Figures, fresh: int) -> tuple[int, int]:
    """Tokens of audio and of images that did not come out of the cache; of `fresh` in all."""
    prompt, cache = figures.promptTokensDetails, figures.cacheTokensDetails
    audio = _of("AUDIO", prompt) - _of("AUDIO", cache)
    image = _of("IMAGE", prompt) - _of("IMAGE", cache)
    return (audio, image) if audio >= 0 and image >= 0 and audio + image <= fresh else (0, 0)


def _of(modality: str, details: list[_Count] | None) -> int:
    found = 0
    for count in details or ():
        if count.modality == modality:
            found += count.tokenCount
    return found


# Pieces as blocks -----------------------------------------------------------------------------


def _blocks(found: list[Piece]) -> list[Block]:
    """The blocks of an answer: pieces that follow each other joined, thoughts signed."""
    blocks: list[Block] = []
    for piece in found:
        last = blocks[-1] if blocks else None
        if isinstance(piece, TextPiece):
            if isinstance(last, Text):
                blocks[-1] = Text(last.text + piece.text)
            else:
                blocks.append(Text(piece.text))
        elif isinstance(piece, ThinkingPiece):
            if isinstance(last, Thinking):
                blocks[-1] = msgspec.structs.replace(last, text=last.text + piece.text)
            else:
                blocks.append(Thinking(text=piece.text, signer=SIGNER))
        elif isinstance(piece, SignaturePiece):
            _sign(blocks, piece)
        elif isinstance(piece, MediaPiece):
            blocks.append(piece.block)
        else:
            _add_call(blocks, piece)
    return blocks


def _sign(blocks: list[Block], piece: SignaturePiece) -> None:
    """The signature belongs to the thoughts before it, which may not be shown at all."""
    for place in reversed(range(len(blocks))):
        block = blocks[place]
        if isinstance(block, Thinking):
            blocks[place] = msgspec.structs.replace(block, signature=piece.signature)
            return
    blocks.insert(0, Thinking(text="", signature=piece.signature, signer=piece.signer))


def _add_call(blocks: list[Block], piece: Piece) -> None:
    if isinstance(piece, ToolBegun):
        call = ToolCall(id=piece.id, name=piece.name, arguments="", signature=piece.signature)
        blocks.append(call)
    elif isinstance(piece, ToolPiece):
        last = blocks[-1]
        assert isinstance(last, ToolCall)  # noqa: S101  a call begins before its arguments
        blocks[-1] = msgspec.structs.replace(last, arguments=last.arguments + piece.text)
    elif isinstance(piece, RefusalPiece):
        blocks.append(Refusal(piece.text))
