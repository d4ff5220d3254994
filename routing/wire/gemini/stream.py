"""Gemini's streams, read into pieces. Every event is an answer in miniature; the last one has the
finish reason, and after it the stream just ends."""

import msgspec

from routing.conversation import Counted, Finished, Piece, RefusalPiece
from routing.providers.spec import Quirks
from routing.wire import sse
from routing.wire.failed import StreamCut, StreamFailed
from routing.wire.gemini import reply

_encode = msgspec.json.Encoder().encode


class Reader:
    """Reads one stream: `feed` blocks of the provider, then `end`."""

    def __init__(self, quirks: Quirks) -> None:
        self._splitter = sse.Splitter()
        self._calls = 0
        self._has_content = False
        self._is_finished = False
        self.is_done = False  # nothing but the end of the connection tells
        self.model = ""

    def feed(self, block: bytes) -> list[Piece]:
        """The pieces of a block, perhaps none. Raises StreamFailed, EventTooLong."""
        return self._read(self._splitter.feed(block))

    def end(self) -> list[Piece]:
        """The provider closed the stream: what is left. Raises StreamCut if it broke off."""
        found = self._read(self._splitter.end())
        if not self._is_finished:
            raise StreamCut("the stream ended early")
        self.is_done = True
        return found

    def _read(self, events: bytes) -> list[Piece]:
        found: list[Piece] = []
        for event in events.split(b"\n\n"):
            if event.startswith(b"data: {") and b"\n" not in event:
                self._event(event[6:], found)
            elif event:
                _, data = sse.fields(event)
                if data:
                    self._event(data, found)
        return found

    def _event(self, data: bytes, found: list[Piece]) -> None:
        try:
            content = reply.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise StreamFailed("the stream holds an event that is no answer") from None
        if content.has_error:
            raise StreamFailed("the provider reported an error in the stream", data)
        self.model = content.modelVersion or self.model
        candidate = content.candidate
        if candidate is not None:
            if parts := candidate.parts:
                before = len(found)
                self._calls = reply.add_pieces(found, parts, self._calls)
                self._has_content = self._has_content or len(found) > before
            if candidate.finishReason:
                self._finish(candidate, found)
        elif refused := reply.blocked(content):
            found += (RefusalPiece(refused), Finished("content_filter"))
            self._is_finished = True
        usage = reply.usage_of(content.usageMetadata)
        if usage is not None:
            found.append(Counted(usage))

    def _finish(self, candidate: reply.Candidate, found: list[Piece]) -> None:
        reason = candidate.finishReason or ""
        if reason in reply.FAILURES:
            raise StreamFailed(f"the model failed: {reason}", _as_error(candidate))
        self._is_finished = True
        finish = reply.finish_of(reason, has_calls=self._calls > 0)
        if finish == "content_filter" and not self._has_content:
            found.append(RefusalPiece(reply.filtered(candidate)))
        found.append(Finished(finish))


def _as_error(candidate: reply.Candidate) -> bytes:
    """A failure of the model in the words of a failure of the server, which is worth a retry."""
    message = candidate.finishMessage or "The model's answer could not be used."
    return _encode({"error": {"code": 502, "status": candidate.finishReason, "message": message}})
