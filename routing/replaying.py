"""A kept answer, told again: whole or as a stream, whichever way it came the first time."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from accounts.callers import Caller
from billing import pricing
from billing.facts import CallOpened, CallSettled
from billing.ledger import Ledger
from billing.money import ZERO
from billing.rates import Limits, Standing
from routing import dialects
from routing.cache.entries import Entry
from routing.chat import ChatRequest
from routing.conversation import (
    Answer,
    Finished,
    HiddenPiece,
    HiddenThinking,
    Piece,
    SignaturePiece,
    Text,
    TextPiece,
    Thinking,
    ThinkingPiece,
    ToolBegun,
    ToolCall,
    ToolPiece,
)
from routing.providers import prices
from routing.relaying import Outlet
from routing.wire.sides import Envelope

SLICE = 80  # characters of a piece, about 20 tokens


class Replay(msgspec.Struct, frozen=True, kw_only=True, eq=False, gc=False):
    """A call that is answered from the cache, and settled."""

    chat: ChatRequest
    entry: Entry
    body_id: str
    settled: CallSettled
    rates: Standing | None

    def body(self) -> bytes:
        """The whole answer, in the caller's dialect."""
        return dialects.CALLERS[self.chat.dialect].write_answer(
            self.entry.answer, envelope=self._envelope(), usage=self.entry.usage, cost=ZERO
        )

    async def pour(self, out: Outlet) -> None:
        """The answer as a stream, without delay."""
        writer = dialects.CALLERS[self.chat.dialect].writer(self._envelope())
        for piece in pieces_of(self.entry.answer):
            out.write(writer.write(piece))
            if out.is_full:
                await out.drained()
        out.write(writer.close(self.entry.usage, ZERO))

    def _envelope(self) -> Envelope:
        return dialects.envelope_of(self.chat, self.body_id, self.entry.model)


async def replay(
    ledger: Ledger,
    caller: Caller,
    opening: CallOpened,
    entry: Entry,
    *,
    chat: ChatRequest,
    body_id: str,
    strategy: str,
    limits: Limits | None,
    began: float,
) -> Replay:
    """Put the call on the books: it costs nothing. Raises RateLimited, LedgerUnavailable."""
    books = await ledger.admit_free(opening, limits=limits)
    latency_s = time.monotonic() - began
    settled = CallSettled(
        call=opening.call,
        status="succeeded",
        settled_at=int(time.time() * 1000),
        strategy=strategy,
        reason="cache",
        provider=entry.provider,
        model=entry.model,
        http_status=200,
        cache="hit",
        cost=ZERO,
        cost_status="priced",
        saved=saved(caller, entry),
        latency_ms=round(latency_s * 1000),
        overhead_us=round(latency_s * 1e6),
        finish_reason=entry.finish_reason,
    )
    books.settle(settled)
    return Replay(chat=chat, entry=entry, body_id=body_id, settled=settled, rates=books.rates)


def saved(caller: Caller, entry: Entry) -> Decimal:
    """What the same usage would cost today; nothing is claimed where no price is known."""
    today = datetime.now(UTC).date()
    price = prices.in_force(caller.tenant_id, entry.provider, entry.model, today=today)
    return pricing.cost_of(entry.usage, price) or ZERO if price else ZERO


def pieces_of(answer: Answer) -> Iterator[Piece]:
    """The answer as a stream would have brought it."""
    calls = 0
    for block in answer.blocks:
        if isinstance(block, Text):
            yield from (TextPiece(part) for part in _slices(block.text))
        elif isinstance(block, Thinking):
            yield from (ThinkingPiece(part) for part in _slices(block.text))
            if block.signature:
                yield SignaturePiece(block.signature, block.signer)
        elif isinstance(block, HiddenThinking):
            yield HiddenPiece(block.data, block.signer)
        elif isinstance(block, ToolCall):
            yield _begun(block, calls)
            yield from (ToolPiece(calls, part) for part in _slices(block.arguments))
            calls += 1
    yield Finished(answer.finish, answer.stop_sequence)


def _begun(call: ToolCall, index: int) -> ToolBegun:
    return ToolBegun(
        index=index, id=call.id, name=call.name, kind=call.kind, signature=call.signature
    )


def _slices(text: str) -> Iterator[str]:
    for start in range(0, len(text), SLICE):
        yield text[start : start + SLICE]
