"""Signed thoughts kept for an hour, so that clients that know nothing of them still work. Pure.

Gemini wants the signature of a call back with the call, Anthropic the thinking before it; clients
of OpenAI's dialect have no place for either. So both are kept under tenant and id of the call, in
the memory of this process alone: thoughts are content, and content is stored nowhere unasked.
What is forgotten costs quality, never an answer: the dialects know what to send instead.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from itertools import groupby
from uuid import UUID

import msgspec

from routing.conversation import (
    Block,
    Conversation,
    HiddenPiece,
    HiddenThinking,
    Piece,
    SignaturePiece,
    Thinking,
    ThinkingPiece,
    ToolBegun,
    ToolCall,
    Turn,
)

LIFETIME_S = 3600.0
MOST_ENTRIES = 50_000
MOST_BYTES = 64 * 2**20
LARGEST_BYTES = 2**20  # of one entry
OVERHEAD_BYTES = 400  # of an entry, beside its texts

Signed = Thinking | HiddenThinking
Key = tuple[UUID, str]  # tenant, id of the call


class _Kept(msgspec.Struct, frozen=True, gc=False):
    """What belongs to one call: its own signature, and the thoughts that led to it."""

    signer: str
    signature: str
    thoughts: tuple[Signed, ...]
    size: int
    until: float


class Thoughts:
    """What is kept, oldest first. Bounded in number and bytes; `clock` counts seconds."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        lifetime_s: float = LIFETIME_S,
        most_entries: int = MOST_ENTRIES,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._clock, self._lifetime_s = clock, lifetime_s
        self._most_entries, self._most_bytes = most_entries, most_bytes
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size(self) -> int:
        """Bytes, about."""
        return self._bytes

    def collector(self, tenant: UUID, signer: str) -> "Collector":
        """Keeps what a streamed answer signs, as it passes."""
        return Collector(self, tenant, signer)

    def remember(self, tenant: UUID, blocks: Iterable[Block], *, signer: str) -> None:
        """Keep what a whole answer signs."""
        before: list[Signed] = []
        for block in blocks:
            if isinstance(block, Thinking | HiddenThinking):
                before.append(block)
            elif isinstance(block, ToolCall):
                self.keep((tenant, block.id), signer, block.signature, before)
                before = []

    def keep(self, key: Key, signer: str, signature: str, thoughts: Iterable[Signed]) -> None:
        """Keep what belongs to one call, if there is anything."""
        signed = tuple(block for block in thoughts if _is_signed(block, signer))
        if not (signature or signed):
            return
        size = OVERHEAD_BYTES + len(key[1]) + len(signature) + sum(map(_size, signed))
        self._forget(key)
        if size > min(LARGEST_BYTES, self._most_bytes):
            return
        now = self._clock()
        self._kept[key] = _Kept(signer, signature, signed, size, now + self._lifetime_s)
        self._bytes += size
        self._make_room(now)

    def restore(self, conversation: Conversation, *, tenant: UUID, signer: str) -> Conversation:
        """The conversation as this signer wants it: its own signatures back, others' left out.

        The same object if there is nothing to change. A caller that kept thoughts itself is right.
        """
        turns: list[Turn] = []
        for is_model, run in groupby(conversation.turns, lambda turn: turn.role == "assistant"):
            said = tuple(run)
            turns += self._restored(said, tenant, signer) if is_model else said
        if len(turns) == len(conversation.turns) and all(map(_is, turns, conversation.turns)):
            return conversation
        return msgspec.structs.replace(conversation, turns=tuple(turns))

    def _restored(self, run: tuple[Turn, ...], tenant: UUID, signer: str) -> list[Turn]:
        """What the model said in a row: it begins with the thoughts before its first call."""
        has_own = any(_is_signed(block, signer) for turn in run for block in turn.blocks)
        first: tuple[Signed, ...] | None = None
        turns: list[Turn] = []
        for turn in run:
            blocks: list[Block] = []
            for block in turn.blocks:
                if _is_foreign(block, signer):
                    continue
                if isinstance(block, ToolCall):
                    kept = self._find((tenant, block.id), signer)
                    thoughts = kept.thoughts if kept and not has_own else ()
                    if first is None:
                        first = thoughts
                    else:
                        blocks += thoughts
                    if kept and kept.signature and not block.signature:
                        block = msgspec.structs.replace(block, signature=kept.signature)  # noqa: PLW2901
                blocks.append(block)
            if blocks:
                turns.append(_changed(turn, blocks))
        if first:
            turns[0] = Turn(turns[0].role, (*first, *turns[0].blocks))
        return turns

    def _find(self, key: Key, signer: str) -> _Kept | None:
        kept = self._kept.get(key)
        if kept is None or kept.signer != signer:
            return None
        if kept.until <= self._clock():
            self._forget(key)
            return None
        return kept

    def _make_room(self, now: float) -> None:
        """Let the oldest go: what is over time, and what is too much."""
        while self._kept:
            key, oldest = next(iter(self._kept.items()))
            is_too_much = len(self._kept) > self._most_entries or self._bytes > self._most_bytes
            if not is_too_much and oldest.until > now:
                return
            self._forget(key)

    def _forget(self, key: Key) -> None:
        kept = self._kept.pop(key, None)
        if kept:
            self._bytes -= kept.size


class Collector:
    """Sees the pieces of one streamed answer and keeps what belongs to each call as it begins."""

    def __init__(self, thoughts: Thoughts, tenant: UUID, signer: str) -> None:
        self._thoughts, self._tenant, self._signer = thoughts, tenant, signer
        self._text: list[str] = []
        self._before: list[Signed] = []

    def see(self, piece: Piece) -> None:
        if isinstance(piece, ThinkingPiece):
            self._text.append(piece.text)
        elif isinstance(piece, SignaturePiece):
            text = "".join(self._text)
            self._text = []
            self._before.append(Thinking(text=text, signature=piece.signature, signer=piece.signer))
        elif isinstance(piece, HiddenPiece):
            self._before.append(HiddenThinking(data=piece.data, signer=piece.signer))
        elif isinstance(piece, ToolBegun):
            key = (self._tenant, piece.id)
            self._thoughts.keep(key, self._signer, piece.signature, self._before)
            self._text, self._before = [], []


def _is_signed(block: Block, signer: str) -> bool:
    if isinstance(block, Thinking):
        return bool(block.signature) and block.signer == signer
    return isinstance(block, HiddenThinking) and block.signer == signer


def _is_foreign(block: Block, signer: str) -> bool:
    """Whether it is of use to another provider alone. Thoughts that nobody signed are text."""
    if isinstance(block, Thinking):
        return bool(block.signature) and block.signer != signer
    return isinstance(block, HiddenThinking) and block.signer != signer


def _size(block: Signed) -> int:
    if isinstance(block, HiddenThinking):
        return len(block.data)
    return len(block.text.encode()) + len(block.signature)


def _changed(turn: Turn, blocks: list[Block]) -> Turn:
    is_same = len(blocks) == len(turn.blocks) and all(map(_is, blocks, turn.blocks))
    return turn if is_same else Turn(turn.role, tuple(blocks))


def _is(one: object, other: object) -> bool:
    return one is other
