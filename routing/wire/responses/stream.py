"""OpenAI Responses streams, written for a caller from what any provider streams.

Events follow the official schema (providers.md 12.3): an item is opened at its first piece and
closed by its `.done` events. Calls that run in parallel each have an item of their own and stay
open to the end, since nothing tells which piece of a call is its last.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from billing.usage import Usage
from routing.conversation import (
    Finish,
    Finished,
    HiddenPiece,
    HiddenThinking,
    Piece,
    RefusalPiece,
    SignaturePiece,
    TextPiece,
    Thinking,
    ThinkingPiece,
    ToolBegun,
    ToolPiece,
)
from routing.wire.responses import items, repeated, reply, thoughts
from routing.wire.responses.open_items import Call, Events, Message, Thoughts
from routing.wire.responses.tools import Toolbox
from routing.wire.sides import Envelope


class Writer:
    """Writes one stream for a caller, whole events at a time."""

    def __init__(self, envelope: Envelope) -> None:
        self._body_id = envelope.body_id
        self._head = repeated.head(envelope)
        self._box = Toolbox(envelope.request)
        self._wants_tokens = reply.wants_tokens(envelope)
        self._events = Events()
        self._count = 0  # of items
        self._open: Message | Thoughts | None = None
        self._calls: dict[int, Call] = {}
        self._finish: Finish | None = None
        self._is_begun = False
        self._write: dict[type, Callable[[Any], bytes]] = {
            TextPiece: self._text,
            ThinkingPiece: self._thinking,
            SignaturePiece: self._signature,
            HiddenPiece: self._hidden,
            RefusalPiece: self._refusal,
            ToolBegun: self._begin_call,
            ToolPiece: self._call,
            Finished: self._remember,
        }

    def write(self, piece: Piece) -> bytes:
        """The events that a piece makes, perhaps none; `Finished`, `Counted` wait for the end."""
        write = self._write.get(type(piece))
        written = write(piece) if write else b""
        return written if self._is_begun or not written else self._begin() + written

    def close(self, usage: Usage, cost: Decimal | None) -> bytes:
        """The last events: what is open is closed, then the whole answer with its figures."""
        finish = self._finish or ("tool_calls" if self._calls else "stop")
        is_cut = reply.is_cut(finish)
        open_items = [*self._calls.values(), *([self._open] if self._open else [])]
        written = [b"" if self._is_begun else self._begin()]
        for item in sorted(open_items, key=lambda item: item.index):
            is_last = item.index == self._count - 1
            written.append(item.close("incomplete" if is_cut and is_last else "completed"))
        self._open = None
        self._calls.clear()
        response = reply.finished(
            self._head, self._events.output(), finish=finish, usage=usage, cost=cost
        )
        kind = "response.incomplete" if is_cut else "response.completed"
        written.append(self._events.of_response(kind, response))
        return b"".join(written)

    def _begin(self) -> bytes:
        """The two events before all others, which are made last: they need the first piece."""
        self._is_begun = True
        response = reply.begun(self._head)
        return self._events.first("response.created", 0, response) + self._events.first(
            "response.in_progress", 1, response
        )

    def _text(self, piece: TextPiece) -> bytes:
        return self._say("output_text", piece.text)

    def _refusal(self, piece: RefusalPiece) -> bytes:
        return self._say("refusal", piece.text)

    def _say(self, kind: items.PartKind, text: str) -> bytes:
        if not text:
            return b""
        opened, message = b"", self._open
        if not isinstance(message, Message):
            closed = self._close()
            message = self._open = Message(self._events, *self._new("message"))
            opened = closed + message.begin()
        return opened + message.add(kind, text)

    def _thinking(self, piece: ThinkingPiece) -> bytes:
        if not piece.text:
            return b""
        opened, thinking = b"", self._open
        if not isinstance(thinking, Thoughts):
            closed = self._close()
            thinking = Thoughts(
                self._events, *self._new("reasoning"), wants_token=self._wants_tokens
            )
            self._open = thinking
            opened = closed + thinking.begin()
        return opened + thinking.add(piece.text)

    def _signature(self, piece: SignaturePiece) -> bytes:
        if not piece.signature:
            return b""
        if isinstance(self._open, Thoughts):
            self._open.sign(piece.signature, piece.signer)
            return self._close()
        signed = Thinking(text="", signature=piece.signature, signer=piece.signer)
        return self._close() + self._sealed(thoughts.token_of(signed, is_wanted=True))

    def _hidden(self, piece: HiddenPiece) -> bytes:
        hidden = HiddenThinking(data=piece.data, signer=piece.signer)
        return self._close() + self._sealed(thoughts.token_of(hidden, is_wanted=True))

    def _sealed(self, token: str | None) -> bytes:
        """An item of thoughts without a text."""
        own_id, index = self._new("reasoning")
        opened = self._events.added(index, items.reasoning(own_id, "", None))
        return opened + self._events.done(index, items.reasoning(own_id, "", token))

    def _begin_call(self, piece: ToolBegun) -> bytes:
        written = self._close()
        if piece.signature:
            written += self._sealed(thoughts.token_of_call(piece.id, piece.signature))
        origin = self._box.origin(piece.name, piece.kind)
        own_id, index = self._new(items.kind_of_call(origin))
        call = Call(self._events, own_id, index, call_id=piece.id, origin=origin, kind=piece.kind)
        self._calls[piece.index] = call
        return written + call.begin()

    def _call(self, piece: ToolPiece) -> bytes:
        return self._calls[piece.index].add(piece.text)

    def _remember(self, piece: Finished) -> bytes:
        self._finish = piece.finish
        return b""

    def _close(self) -> bytes:
        """Close what is open, but for calls: a message or thoughts."""
        if self._open is None:
            return b""
        closed = self._open.close("completed")
        self._open = None
        return closed

    def _new(self, kind: str) -> tuple[str, int]:
        """Id and place of the next item."""
        index = self._count
        self._count += 1
        return items.item_id(self._body_id, kind, index), index
