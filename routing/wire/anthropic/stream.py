"""Anthropic's streams: relayed between two ends of this dialect, read and written for others.

Once content flows, whole events are forwarded unparsed. Only the first events (to give them our id
and to find the first content) and those of the message itself are parsed; what carries the final
usage and the end is held back until the call is settled.
"""

import re
from decimal import Decimal
from typing import Any

import msgspec

from billing.usage import Usage
from routing.providers.spec import Quirks
from routing.wire import sse
from routing.wire.anthropic import usage as figures
from routing.wire.anthropic.fields import Json
from routing.wire.anthropic.reader import Reader, data_of
from routing.wire.anthropic.writer import STOP, Writer, event
from routing.wire.failed import StreamCut, StreamFailed

__all__ = ["Reader", "Relay", "Writer"]

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
# An event worth parsing begins like this; no line of data holds a line break of its own.
_MARK = re.compile(
    rb'^(?:event: ?(?:message|error)|data: ?\{"type": ?"(?:message|error))', re.MULTILINE
)
_PLAIN = (b"event: content_block_", b"event: ping\n")
# About the bytes of an event that are not the model's.
_SKELETON = 120
_WRITTEN = ("text", "thinking", "partial_json")
_SILENT_BLOCKS = frozenset({"text", "thinking"})
_SILENT_REASONS = frozenset({"refusal", "pause_turn"})


class Relay:
    """One stream: `feed` blocks of the provider, pass on what it returns, `close` at the end."""

    def __init__(self, *, body_id: str, wants_usage: bool, quirks: Quirks) -> None:
        self._body_id = body_id
        self._splitter = sse.Splitter()
        self._figures: Json = {}
        self._final: Json = {}  # the held `message_delta`
        self._bytes = 0
        self.events = 0
        self.has_content = False
        self.is_done = False
        self.finish_reason = self.model = ""
        self.usage: Usage | None = None
        self.reported_cost: Decimal | None = None

    @property
    def output_bytes(self) -> int:
        """About how many bytes the model has written: the events less their envelopes."""
        return max(0, self._bytes - self.events * _SKELETON)

    def feed(self, block: bytes) -> bytes:
        """What may be passed on of a block, perhaps nothing. Raises StreamFailed, EventTooLong."""
        events = self._splitter.feed(block)
        if self.has_content and events and _MARK.search(events) is None:
            count = events.count(b"\n\n")
            if sum(map(events.count, _PLAIN)) == count:
                self.events += count
                self._bytes += len(events)
                return events
        return self._parse(events)

    def end(self) -> bytes:
        """The provider closed the stream: what is left. Raises StreamCut if it broke off."""
        left = self._parse(self._splitter.end())
        if not (self.is_done or self.finish_reason):
            raise StreamCut("the stream ended early")
        return left

    def close(self, usage: Usage, cost: Decimal | None) -> bytes:
        """The last bytes for the caller: why it stopped, usage with cost, the end."""
        final = self._final or {"delta": {"stop_reason": None, "stop_sequence": None}}
        told = final.get("usage") or figures.shown(usage)
        return event("message_delta", **{**final, "usage": figures.with_cost(told, cost)}) + STOP

    def _parse(self, events: bytes) -> bytes:
        passed = []
        for one in events.split(b"\n\n"):
            if not one or self.is_done:
                continue
            data = data_of(one)
            if data:
                passed.append(self._event(data, one))
        return b"".join(passed)

    def _event(self, data: bytes, original: bytes) -> bytes:
        """Take in one event; its bytes for the caller, empty if it is held back."""
        try:
            found = _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise StreamFailed("the stream holds an event that is not JSON") from None
        kind = found.get("type") if type(found) is dict else None
        if kind == "error" or not isinstance(kind, str):
            raise StreamFailed("the provider reported an error in the stream", data)
        if kind == "message_start":
            return self._start(found)
        if kind == "message_delta":
            self._hold(found)
            return b""
        if kind == "message_stop":
            self.is_done = True
            return b""
        self._learn_content(kind, found, len(original))
        if original.startswith(b"event: "):
            return original + b"\n\n"
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)

    def _start(self, found: Json) -> bytes:
        """The first event, under our id; a second one of its kind is dropped."""
        message = found.get("message")
        if type(message) is not dict:
            raise StreamFailed("the stream does not begin with a message")
        if self._figures or self.model:
            return b""
        self._figures = figures.merged({}, message.get("usage"))
        self.model = message["model"] if isinstance(message.get("model"), str) else ""
        rest = {name: value for name, value in found.items() if name not in {"type", "message"}}
        return event("message_start", message={**message, "id": self._body_id}, **rest)

    def _hold(self, found: Json) -> None:
        """Keep what ends the message; where it comes in several events, the last word counts."""
        held: dict[str, Any] = {k: v for k, v in found.items() if k != "type"}
        for name in ("delta", "usage"):
            held[name] = figures.merged(self._final.get(name) or {}, held.get(name))
        held["delta"] = {"stop_reason": None, "stop_sequence": None, **held["delta"]}
        self._final = {**self._final, **held}
        if held["usage"]:
            self.usage = figures.usage_of({**self._figures, **held["usage"]}) or self.usage
        reason = held["delta"]["stop_reason"]
        self.finish_reason = reason if isinstance(reason, str) else self.finish_reason
        # A refusal without a word is an answer; so is nothing where 0 tokens were asked for.
        asked_nothing = reason == "max_tokens" and held["usage"].get("output_tokens") == 0
        if self.finish_reason in _SILENT_REASONS or (asked_nothing and not self.events):
            self.has_content = True

    def _learn_content(self, kind: str, found: Json, size: int) -> None:
        block, delta = found.get("content_block"), found.get("delta")
        if kind == "content_block_start" and isinstance(block, dict):
            is_said = str(block.get("type")) not in _SILENT_BLOCKS or block.get("text")
            self.has_content = self.has_content or bool(is_said)
        elif kind == "content_block_delta" and isinstance(delta, dict):
            self.has_content = self.has_content or any(delta.get(name) for name in _WRITTEN)
        if kind.startswith("content_block"):
            self.events += 1
            self._bytes += size + 2
