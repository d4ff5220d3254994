"""Gemini's answers: whole, and as events that are each a whole answer in miniature."""

from collections.abc import Iterator

import msgspec

from routing.sandbox.answers import Frame, Kind
from routing.sandbox.dialects.generate.contents import signature, wants_signatures
from routing.sandbox.dialects.told import Told
from routing.sandbox.profile import Json
from routing.sandbox.writing.counting import pieces
from routing.sandbox.writing.draft import Call, Choice, Finish

REASONS = {
    Finish.END: "STOP",
    Finish.STOP_SEQUENCE: "STOP",
    Finish.LENGTH: "MAX_TOKENS",
    Finish.TOOLS: "STOP",
}


def write(told: Told) -> Json:
    """The body of a whole answer."""
    candidates = [
        _candidate(index, _parts(told, choice), choice.finish)
        for index, choice in enumerate(told.draft.choices)
    ]
    return _envelope(told, candidates, told.draft.visible, told.draft.thoughts)


def frames(told: Told) -> Iterator[Frame]:
    """The events: each has the usage so far, the last of a candidate says why it ended."""
    visible = thoughts = 0
    for index, choice in enumerate(told.draft.choices):
        hidden = 0 if _shown(told, choice) else choice.thought_tokens
        for part, tokens, is_thought in _streamed(told, choice):
            thoughts += hidden + (tokens if is_thought else 0)
            visible += 0 if is_thought else tokens
            body = _envelope(told, [_candidate(index, [part])], visible, thoughts)
            yield Frame(_event(body), tokens=tokens + hidden)
            hidden = 0
        thoughts += hidden
        last: Json = {"text": ""}
        if choice.thoughts and not choice.calls and wants_signatures(told.ask.model):
            last["thoughtSignature"] = signature(told.exchange.id)
        body = _envelope(told, [_candidate(index, [last], choice.finish)], visible, thoughts)
        yield Frame(_event(body), Kind.CLOSING, hidden)


def as_array(frames: Iterator[Frame]) -> Iterator[Frame]:
    """The same events as one JSON array that grows: what a stream is without `alt=sse`."""
    lead = b"["
    for frame in frames:
        body = frame.data.removeprefix(b"data: ").rstrip(b"\r\n")
        yield frame._replace(data=lead + body)
        lead = b"\r\n,\r\n"
    yield Frame(b"\r\n]\r\n", Kind.CLOSING)


def usage(told: Told, visible: int, thoughts: int) -> Json:
    """Thoughts stand beside the candidates and not in them; the cache is in the prompt."""
    draft = told.draft
    text = draft.prompt - draft.media
    details = [{"modality": "TEXT", "tokenCount": text}]
    if draft.media:
        details.append({"modality": "IMAGE", "tokenCount": draft.media})
    figures: Json = {
        "promptTokenCount": draft.prompt,
        "candidatesTokenCount": visible,
        "totalTokenCount": draft.prompt + visible + thoughts,
        "promptTokensDetails": details,
    }
    if draft.cached.read:
        figures["cachedContentTokenCount"] = draft.cached.read
    if thoughts:
        figures["thoughtsTokenCount"] = thoughts
    return figures


def _shown(told: Told, choice: Choice) -> str:
    return choice.thoughts if told.ask.shows_thoughts else ""


def _parts(told: Told, choice: Choice) -> list[Json]:
    shown = _shown(told, choice)
    parts: list[Json] = [{"text": shown, "thought": True}] if shown else []
    if choice.text:
        parts.append({"text": choice.text})
        if choice.thoughts and wants_signatures(told.ask.model):
            parts[-1]["thoughtSignature"] = signature(told.exchange.id)
    return [*parts, *(_call(told, call) for call in choice.calls)]


def _streamed(told: Told, choice: Choice) -> Iterator[tuple[Json, int, bool]]:
    """Parts of a stream, their tokens, and whether they are thoughts. Calls come whole."""
    for piece in pieces(_shown(told, choice)):
        yield {"text": piece, "thought": True}, 1, True
    for piece in pieces(choice.text):
        yield {"text": piece}, 1, False
    for call in choice.calls:
        yield _call(told, call), call.tokens, False


def _call(told: Told, call: Call) -> Json:
    """A function call; of several made together only the first carries a signature."""
    part: Json = {
        "functionCall": {
            "id": f"fc-{told.exchange.id}{call.index:x}",
            "name": call.name,
            "args": msgspec.json.decode(call.arguments),
        }
    }
    if call.index == 0 and told.ask.thinks:
        part["thoughtSignature"] = signature(told.exchange.id)
    return part


def _candidate(index: int, parts: list[Json], finish: Finish | None = None) -> Json:
    candidate: Json = {"content": {"role": "model", "parts": parts}, "index": index}
    if not parts:
        del candidate["content"]["parts"]
    if finish is not None:
        candidate["finishReason"] = REASONS[finish]
    if finish is Finish.TOOLS:
        candidate["finishMessage"] = "Model generated function call(s)."
    return candidate


def _envelope(told: Told, candidates: list[Json], visible: int, thoughts: int) -> Json:
    return {
        "candidates": candidates,
        "usageMetadata": usage(told, visible, thoughts),
        "modelVersion": told.ask.model,
        "responseId": told.exchange.id,
    }


def _event(body: Json) -> bytes:
    """Google's servers end lines with CR LF."""
    return b"data: %b\r\n\r\n" % msgspec.json.encode(body)
