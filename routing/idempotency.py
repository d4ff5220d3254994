"""`Idempotency-Key`: a request that is sent twice is asked once.

A key belongs to a gateway key and an endpoint, for 24 hours. Whoever comes first inserts a row and
calls; a twin gets the same answer where content may be kept, else 409 with the first call's id.
A call that ends without an answer gives its key back, so that a retry may do better.
"""

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import msgspec
from asgiref.sync import sync_to_async
from django.db import DatabaseError

from accounts import tenant_settings, vault
from accounts.errors import Conflict, InvalidRequest, Unavailable
from accounts.tenant_settings import Known
from accounts.vault import MasterKeyProblem, SealBroken
from routing import gateway, idempotent_rows
from routing.cache import fingerprint
from routing.gateway import Answer, StreamedAnswer, Told, WholeAnswer
from routing.idempotent_rows import Claim
from routing.models import IdempotentCall
from routing.opening import Asked
from routing.relaying import Outlet

log = logging.getLogger(__name__)

HEADER = b"idempotency-key"
USE, HASH_USE = b"idempotent-answer", b"idempotency-key"
LONGEST = 255
BOOKED_S = 120.0  # by then a call that lives is on the books
MOST_BYTES = 4 * 2**20  # of an answer that is kept

_notes: set[asyncio.Task[None]] = set()


class IdempotencyConflict(Conflict):
    code = "idempotency_conflict"


class Running(IdempotencyConflict):
    """The first call is not over: it is worth asking again."""

    retry = True
    advice = "Wait for the first call, or ask again in a few seconds."


class _Kept(msgspec.Struct, frozen=True, gc=False, array_like=True):
    body: bytes
    provider: str
    model: str
    strategy: str
    reason: str


async def answer(asked: Asked) -> tuple[Answer, str]:
    """The answer, and the id of the call that it is of. Raises IdempotencyConflict, Unavailable."""
    name = b""
    for header, value in asked.headers:
        if header == HEADER:
            name = value
            break
    if not name:
        return await gateway.chat(asked), asked.call
    if len(name) > LONGEST or not name.isascii() or not name.decode("ascii").isprintable():
        raise InvalidRequest(
            f"Idempotency-Key must be up to {LONGEST} printable ASCII characters.",
            param="Idempotency-Key",
        )
    known = await tenant_settings.known(asked.caller.tenant_id)
    claim = _claim(asked, name, known)
    earlier = await _taken(claim)
    if earlier is not None:
        return _replayed(earlier, claim, known), earlier.call
    return await _first(asked, claim, known), asked.call


async def _taken(claim: Claim) -> IdempotentCall | None:
    """None if the key is ours now. Raises Unavailable."""
    take = sync_to_async(idempotent_rows.take, thread_sensitive=False)
    taking = asyncio.ensure_future(take(claim))
    try:
        return await asyncio.shield(taking)
    except DatabaseError:
        raise Unavailable("The gateway cannot check the Idempotency-Key at the moment.") from None
    except asyncio.CancelledError:  # the caller left, and the key may be ours all the same
        _begin(_undone(taking, claim))
        raise


async def _undone(taking: asyncio.Task[IdempotentCall | None], claim: Claim) -> None:
    await asyncio.wait({taking})
    if not taking.cancelled() and taking.exception() is None and taking.result() is None:
        await given_back(claim)


async def noted(end: Coroutine[Any, Any, None]) -> None:
    """Write down how the call ended, though its caller may have left."""
    await asyncio.shield(_begin(end))


def _begin(end: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    writing = asyncio.ensure_future(end)
    _notes.add(writing)
    writing.add_done_callback(_notes.discard)
    return writing


async def answered(claim: Claim, body: bytes | None, told: Told) -> None:
    """The key is used up; the answer stays where content may be kept by now."""
    try:
        sealed = _sealed(claim, await tenant_settings.known(claim.tenant), body, told)
    except (Unavailable, SealBroken, MasterKeyProblem):
        sealed = None
    await _written(idempotent_rows.end, claim, sealed)


async def given_back(claim: Claim) -> None:
    """The call ended without an answer: a retry may do better."""
    await _written(idempotent_rows.give_back, claim)


async def _written(note: Callable[..., None], *parts: Any) -> None:
    """That this fails is no reason to keep an answer back: the ledger knows how the call ended."""
    try:
        await sync_to_async(note, thread_sensitive=False)(*parts)
    except DatabaseError:
        log.warning("the end of an idempotent call could not be noted", exc_info=True)


async def _first(asked: Asked, claim: Claim, known: Known) -> Answer:
    try:
        found = await gateway.chat(asked)
    except BaseException:
        await noted(given_back(claim))
        raise
    if isinstance(found, WholeAnswer):
        await noted(answered(claim, found.body, found.told))
    elif isinstance(found, StreamedAnswer):
        return StreamedAnswer(_watched(found, claim, known), found.told, found.leave, found.story)
    else:
        await noted(given_back(claim))
    return found


def _watched(
    found: StreamedAnswer, claim: Claim, known: Known
) -> Callable[[Outlet], Awaitable[None]]:
    """The same stream; how its call is settled decides what becomes of the key."""

    async def pour(out: Outlet) -> None:
        tap = _Tap(out, keeps=known.settings.cache_enabled)
        try:
            await found.pour(tap)
        except BaseException:
            await noted(given_back(claim))
            raise
        await noted(answered(claim, tap.body, found.told) if found.is_whole else given_back(claim))

    return pour


class _Tap:
    """An outlet that remembers what passes, where that may be kept."""

    def __init__(self, out: Outlet, *, keeps: bool) -> None:
        self._out, self._keeps = out, keeps
        self.pieces: list[bytes] = []
        self.size = 0

    @property
    def is_full(self) -> bool:
        return self._out.is_full

    @property
    def body(self) -> bytes | None:
        """All that has passed; None where it may not be kept, or is too long."""
        return b"".join(self.pieces) if self._keeps and self.size <= MOST_BYTES else None

    def write(self, piece: bytes) -> None:
        self._out.write(piece)
        self.size += len(piece)
        if piece and self._keeps and self.size <= MOST_BYTES:
            self.pieces.append(piece)

    async def drained(self) -> None:
        await self._out.drained()


def _claim(asked: Asked, name: bytes, known: Known) -> Claim:
    caller, chat = asked.caller, asked.chat
    try:
        secret = vault.key_for(known.data_key(), HASH_USE)
    except (SealBroken, MasterKeyProblem):
        raise Unavailable("The gateway cannot check the Idempotency-Key now.") from None
    place = b"\0".join((caller.lineage.bytes, caller.mode.encode(), asked.endpoint.encode(), name))
    return Claim(
        tenant=caller.tenant_id,
        key=hmac.digest(secret, b"key\0" + place, "sha256"),
        body=hmac.digest(secret, b"body\0" + fingerprint.canonical(chat.body), "sha256"),
        call=asked.call,
        is_stream=chat.stream,
        booked_s=BOOKED_S,
    )


def _replayed(earlier: IdempotentCall, claim: Claim, known: Known) -> Answer:
    """What became of the first call. Raises IdempotencyConflict."""
    first = f"call_{earlier.call}"
    if bytes(earlier.body) != claim.body:
        raise IdempotencyConflict(
            f"This Idempotency-Key was used for another request ({first}). Use a new one."
        )
    if earlier.ended_at is None:
        raise Running(f"The call of this Idempotency-Key ({first}) is still running.")
    kept = _opened(earlier, claim, known) if known.settings.cache_enabled else None
    if kept is None:
        raise IdempotencyConflict(
            f"This request was answered already ({first}), and its answer was not kept."
        )
    told = Told(
        provider=kept.provider, model=kept.model, strategy=kept.strategy, reason=kept.reason
    )
    if not earlier.is_stream:
        return WholeAnswer(kept.body, told)

    async def pour(out: Outlet) -> None:
        out.write(kept.body)

    return StreamedAnswer(pour, told)


def _sealed(claim: Claim, known: Known, body: bytes | None, told: Told) -> bytes | None:
    """The answer as it may be kept; None where no content may be."""
    if body is None or len(body) > MOST_BYTES or not known.settings.cache_enabled:
        return None
    kept = _Kept(body, told.provider, told.model, told.strategy, told.reason)
    return vault.seal(
        msgspec.msgpack.encode(kept),
        data_key=known.data_key(),
        tenant=claim.tenant,
        use=USE,
        row=claim.key,
    )


def _opened(earlier: IdempotentCall, claim: Claim, known: Known) -> _Kept | None:
    if earlier.sealed is None:
        return None
    try:
        plain = vault.open_sealed(
            bytes(earlier.sealed),
            data_key=known.data_key(),
            tenant=claim.tenant,
            use=USE,
            row=claim.key,
        )
        return msgspec.msgpack.decode(plain, type=_Kept)
    except (SealBroken, MasterKeyProblem, msgspec.MsgspecError):
        return None
