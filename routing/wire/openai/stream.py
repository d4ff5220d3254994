"""OpenAI Chat Completions streams, relayed from a provider of this dialect to a caller of it.

Once content flows, whole events are forwarded unparsed, with one substitution: the provider's
completion id becomes ours. Only the first events (to find the id and the first content) and those
that carry usage, a finish reason, an error or the end are parsed. Figures of usage and the end are
held back until the call is settled; what else stands in their event is passed on.
"""

import re
from decimal import Decimal
from typing import Any

import msgspec

from billing.usage import Usage
from routing.providers.spec import Quirks
from routing.wire import sse
from routing.wire.failed import StreamCut, StreamFailed
from routing.wire.openai import reply

DONE = b"data: [DONE]\n\n"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
# Words that make an event worth parsing. Inside a JSON string the closing quote is escaped, so
# that text which merely talks of these fields does not match.
_MARK = re.compile(rb'"(?:finish_reason": ?"|usage": ?\{|error":)')
_CONTENT = (
    "content", "tool_calls", "function_call", "refusal", "reasoning", "reasoning_content",
    "reasoning_details", "audio",
)  # fmt: skip


class Relay:
    """One stream: `feed` blocks of the provider, pass on what it returns, `close` at the end."""

    def __init__(self, *, body_id: str, wants_usage: bool, quirks: Quirks) -> None:
        self._our_id = b'"id":"%b"' % body_id.encode()
        self._body_id = body_id
        self._their_id = b""
        self._prefix = b""
        self._wants_usage, self._quirks = wants_usage, quirks
        self._splitter = sse.Splitter()
        self._last: dict[str, Any] = {}
        self._usage_event: dict[str, Any] | None = None
        self._skeleton = 0
        self._bytes = 0
        self.events = 0
        self.has_content = False
        self.is_done = False
        self.finish_reason = self.model = ""
        self.usage: Usage | None = None
        self.reported_cost: Decimal | None = None

    def feed(self, block: bytes) -> bytes:
        """What may be passed on of a block, perhaps nothing. Raises StreamFailed, EventTooLong."""
        events = self._splitter.feed(block)
        first: list[bytes] = []
        while not self.has_content and events:
            border = events.find(b"\n\n") + 2
            first.append(self._parse(events[:border]))
            events = events[border:]
        passed = self._pass_on(events)
        return b"".join((*first, passed)) if first else passed

    def _pass_on(self, events: bytes) -> bytes:
        """Events after the first content: forwarded as they are up to the first worth parsing."""
        mark = _MARK.search(events)
        count = events.count(b"\n\n")
        if mark is None and events.count(self._prefix) == count:
            return self._forward(events, count)
        border = 0 if mark is None else events.rfind(b"\n\n", 0, mark.start()) + 2
        plain = events[:border] if border > 1 else b""
        count = plain.count(b"\n\n")
        if plain.count(self._prefix) != count:  # a comment or another oddity among them
            return self._parse(events)
        return self._forward(plain, count) + self._parse(events[len(plain) :])

    def end(self) -> bytes:
        """The provider closed the stream: what is left. Raises StreamCut if it broke off."""
        left = self._parse(self._splitter.end())
        if not (self.is_done or self.finish_reason):
            raise StreamCut("the stream ended early")
        return left

    def close(self, usage: Usage, cost: Decimal | None) -> bytes:
        """The last bytes for the caller: usage with cost if asked for, then the end."""
        event = self._usage_event
        if event is None and self._wants_usage:
            event = {**self._last, "choices": [], "usage": reply.shown(usage)}
        if event is None or not self._wants_usage:
            return DONE
        event["id"] = self._body_id
        event["usage"] = reply.with_cost(event["usage"], cost)
        return b"data: %b\n\n" % _encode(event) + DONE

    @property
    def output_bytes(self) -> int:
        """About how many bytes the model has written: the events less their envelopes."""
        return max(0, self._bytes - self.events * self._skeleton)

    def _forward(self, events: bytes, count: int) -> bytes:
        """Events that are chunks of this completion and nothing worth parsing, as they are."""
        self.events += count
        self._bytes += len(events)
        if not self._wants_usage:
            events = events.replace(b',"usage":null', b"")
        return events.replace(self._their_id, self._our_id)

    def _parse(self, events: bytes) -> bytes:
        passed = []
        for event in events.split(b"\n\n"):
            if not event.strip(b"\n") or self.is_done:
                continue
            _, data = sse.fields(event)
            if data == b"[DONE]":
                self.is_done = True
            elif data:
                passed.append(self._event(data, len(event)))
        return b"".join(passed)

    def _event(self, data: bytes, size: int) -> bytes:
        """Take in one parsed event; its bytes for the caller, empty if it is held back."""
        try:
            chunk = _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise StreamFailed("the stream holds an event that is not JSON") from None
        if type(chunk) is not dict or chunk.get("error"):
            raise StreamFailed("the provider reported an error in the stream", data)
        choices = chunk.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        self._look(chunk, choice if isinstance(choice, dict) else {}, size)
        figures = self._figures(chunk)
        if figures:
            self._usage_event = {**chunk, "choices": [], "usage": figures}
            if not choices:
                return b""
            chunk["usage"] = None  # the figures come at the end, with our cost
        chunk["id"] = self._body_id
        if not self._wants_usage and chunk.get("usage", 0) is None:
            del chunk["usage"]
        return b"data: %b\n\n" % _encode(chunk)

    def _look(self, chunk: dict[str, Any], choice: dict[str, Any], size: int) -> None:
        """Learn from a chunk: the id, the first content, why it finished."""
        if not self._their_id and isinstance(chunk.get("id"), str):
            self._their_id = b'"id":%b' % _encode(chunk["id"])
            self._prefix = b"data: {" + self._their_id
            self.model = chunk["model"] if isinstance(chunk.get("model"), str) else ""
            self._last = {k: v for k, v in chunk.items() if k not in {"choices", "usage", "x_groq"}}
        delta = choice.get("delta")
        if isinstance(delta, dict):
            self._learn_content(delta, size)
        reason = choice.get("finish_reason")
        if reason == "error":
            raise StreamFailed("the provider reported an error in the stream", _encode(chunk))
        if isinstance(reason, str):
            self.finish_reason = reason

    def _learn_content(self, delta: dict[str, Any], size: int) -> None:
        written = [delta[name] for name in _CONTENT if delta.get(name)]
        if not written:
            return
        text = sum(len(part) if isinstance(part, str) else len(_encode(part)) for part in written)
        if not self.has_content:
            self.has_content = True
            self._skeleton = max(0, size + 2 - text)
        self.events += 1
        self._bytes += self._skeleton + text

    def _figures(self, chunk: dict[str, Any]) -> dict[str, Any] | None:
        """The usage that a chunk carries; the last one to be believed counts."""
        for place in self._quirks.usage_in:
            field, _, rest = place.partition(".")
            found = chunk.get(field)
            if rest and isinstance(found, dict):
                found = found.get(rest)
            if isinstance(found, dict):
                self.usage = reply.usage_of(found) or self.usage
                self.reported_cost = reply.reported_cost(found, self._quirks)
                return found
        return None
