"""Slices of hard budgets, spent in memory: a limit holds without asking the database each time.

A process leases slices (`lease_rows`) and reserves from them, before each call, what that call may
cost at most. At its settlement the rest is free again. Every budget that covers a call must pay,
the key's, the project's and the tenant's. What a slice no longer needs goes back: after two idle
seconds (thirty, while half of the limit is nobody's), when another process needs it, when the
budget changes, when the process ends.
"""

import asyncio
import threading
import time
import weakref
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
from asgiref.sync import sync_to_async
from django.db import DatabaseError, close_old_connections

from accounts import changes
from accounts.errors import Unavailable
from billing import known_budgets, lease_rows, money, windows
from billing.errors import BudgetExceeded
from billing.known_budgets import Terms
from billing.lease_rows import Holder, WindowKey
from billing.slices import Slice

IDLE_SECONDS, IDLE_SECONDS_IN_PLENTY = 2.0, 30.0
REFUSAL_SECONDS = 0.25  # so long a refusal is remembered
RECALL_SECONDS = (0.2, 0.4)  # pauses after a recall, in which others give back
SILENCE_SECONDS = 1.0  # of the database: then nobody else waits for it at the same slice
MOST_TRIES = 20  # of a reservation while others take what was leased for it
NO_ANSWER = "The gateway cannot check your budgets at the moment."
LOW_SHARE = 4  # a slice that has less than this part of its last lease is topped up


class Payer(msgspec.Struct, frozen=True, gc=False):
    """On whose account a call goes."""

    tenant: UUID
    mode: str
    project: UUID | None = None
    lineage: UUID | None = None


class Short(Exception):
    """A slice has less than is needed; or (None) the tenant's budgets are not in memory."""

    def __init__(self, lacking: Slice | None, need: int = 0) -> None:
        self.slice, self.need = lacking, need


class Hold:
    """What a call has reserved, by slice."""

    __slots__ = ("amount", "slices")

    def __init__(self, slices: list[Slice], amount: int) -> None:
        self.slices, self.amount = slices, amount

    @property
    def budgets(self) -> tuple[UUID, ...]:
        return tuple(one.key.budget for one in self.slices)


class Leases:
    """The leases of this process. `take` and `close` are called on the loop's thread."""

    def __init__(self, holder: Holder, clock: Callable[[], float] = time.monotonic) -> None:
        self.holder, self._clock = holder, clock
        self._slices: dict[tuple[UUID, str], Slice] = {}  # by budget and mode of calls
        self._old: set[Slice] = set()  # of windows that are over, or of other terms
        self._holds: dict[str, Hold] = {}  # by call, until it is booked
        self._lock = threading.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        _all.add(self)

    # On the request path ----------------------------------------------------------------------

    def take(self, call: str, payer: Payer, *, need: int, at: int) -> Hold | None:
        """Reserve for a call that begins at this Unix time in ms. Raises Short.

        None where no hard budget covers the call.
        """
        slices = self.slices_of(payer, at)
        if not slices:
            return None
        with self._lock:
            for one in slices:
                if at >= one.raised_until:
                    one.raised_until = windows.NEVER
                    one.doubt()
                if not one.has(need):
                    raise Short(one, need)
            for one in slices:
                one.free -= need
                one.reserved += need
                one.waiting += 1
                one.used_at = self._clock()
        hold = self._holds[call] = Hold(slices, need)
        for one in slices:
            if one.free < one.low and not one.is_topping_up:
                self._top_up_soon(one)
        return hold

    def widen(self, hold: Hold, amount: int) -> None:
        """Reserve as much as this in all. Raises Short."""
        more = amount - hold.amount
        if more <= 0:
            return
        with self._lock:
            for one in hold.slices:
                if not one.has(more):
                    raise Short(one, more)
            for one in hold.slices:
                one.free -= more
                one.reserved += more
        hold.amount = amount

    def close(self, hold: Hold, cost: int) -> None:
        """The call is over and cost so much: the rest is free again."""
        with self._lock:
            for one in hold.slices:
                one.reserved -= hold.amount
                one.free += hold.amount - cost
                one.used_at = self._clock()
        hold.amount = 0

    def abandon(self, call: str, hold: Hold) -> None:
        """The call never was: nothing of it will be booked."""
        self.close(hold, 0)
        self.booked(call)

    def slices_of(self, payer: Payer, at: int) -> list[Slice]:
        """This process's part of every hard budget that covers the payer, now. Raises Short."""
        budgets = known_budgets.cached(payer.tenant)
        if budgets is None:
            raise Short(None)
        if not budgets:
            return []
        return [
            self._slice(terms, payer.mode, at)
            for terms in budgets
            if terms.covers(payer.project, payer.lineage)
        ]

    def _slice(self, terms: Terms, calls: str, at: int) -> Slice:
        place = (terms.id, calls)
        found = self._slices.get(place)
        if found and found.key.start <= at < found.end and found.terms is terms:
            return found
        window = windows.at(terms.window, at, since=terms.since)
        key = WindowKey(terms.id, calls, window.start)
        if found and found.key == key:
            found.terms = terms
            return found
        with self._lock:
            if found:
                self._old.add(found)
            # One slice for a window, since they share its lease: a clock may go back, too.
            made = next((old for old in self._old if old.key == key), None)
            if made:
                self._old.discard(made)
            else:
                made = Slice(terms, key, window.end)
            self._slices[place] = made
        return made

    # When memory does not suffice ---------------------------------------------------------------

    async def fill(self, payer: Payer, short: Short) -> None:
        """Get what is lacking from the database. Raises BudgetExceeded, Unavailable."""
        if short.slice is None:
            await self._ask(known_budgets.load, payer.tenant)
            return
        one, need, since = short.slice, short.need, self._clock()
        async with one.gate:
            if one.has(need):
                return
            if one.failed_at >= since:  # who waited meanwhile need not wait as long again
                raise Unavailable(NO_ANSWER)
            if one.stands and one.refuses(need, self._clock()):
                raise self._exceeded(one, need)
            if await self._grow(one, need) or await self._recall(one, need):
                return
            one.refused = (self._clock() + REFUSAL_SECONDS, need)
            raise self._exceeded(one, need)

    async def room(self, payer: Payer, at: int, *, newest: float | None = None) -> int | None:
        """Pico-dollars that the tightest budget has left, about; None where there is no budget.

        Windows that were asked more than `newest` seconds ago are asked again.
        """
        for _ in range(MOST_TRIES):
            try:
                slices = self.slices_of(payer, at)
            except Short as short:
                await self.fill(payer, short)
                continue
            for one in slices:
                age = self._clock() - one.asked_at
                too_old = newest is not None and age > newest
                too_old = too_old or (one.is_doubted and age > REFUSAL_SECONDS)
                if one.stands is None or too_old:
                    await self._grow(one, 0)
            return min((one.free + one.room for one in slices), default=None)
        raise Unavailable("The gateway cannot read your budgets at the moment.")

    async def _grow(self, one: Slice, need: int) -> bool:
        """Lease what is lacking, or (0) another slice; whether there is enough now."""
        began = self._clock()
        try:
            is_enough: bool = await self._ask(self._lease_more, one, need)
        except Unavailable:
            if self._clock() - began > SILENCE_SECONDS:
                one.failed_at = self._clock()
            raise
        return is_enough

    def _lease_more(self, one: Slice, need: int) -> bool:
        """In a thread. What was granted is in memory even if nobody waits for it any more."""
        with one.moving:
            doubts = one.doubts
            if one.is_doubted:
                self._put_back(one)
            # More than the need after a call that cost more than it might.
            lacking = max(0, need - one.free) if need else 0
            granted = lease_rows.take(one.terms.tenant, one.key, self.holder, lacking)
            with self._lock:
                one.free += granted.amount
                # While the limit is passed, what calls do not need is no longer there to spend.
                one.is_doubted = granted.is_over or one.doubts != doubts
                one.raised_until = granted.raised_until
                one.stands, one.asked_at = granted, self._clock()
                one.used_at = self._clock()
                one.low = granted.amount // LOW_SHARE if granted.amount > lacking else 0
        return granted.amount >= lacking and not granted.is_over

    def _put_back(self, one: Slice) -> None:
        """Return what is free; `moving` is held. Raises DatabaseError.

        After an error nobody knows whether it went back: it is not spent, and goes with the rest.
        """
        with self._lock:
            amount = max(0, one.free)
            one.free -= amount
        if amount:
            lease_rows.give_back(one.terms.tenant, one.key, self.holder, amount)

    async def _recall(self, one: Slice, need: int) -> bool:
        """Have other processes give back what lies idle, then try again."""
        if one.stands is None or not one.stands.has_others:
            return False
        await self._ask(lease_rows.recall, one.terms.tenant, one.terms.id)
        for pause in RECALL_SECONDS:
            await asyncio.sleep(pause)
            if await self._grow(one, need):
                return True
        return False

    def _top_up_soon(self, one: Slice) -> None:
        """Lease the next slice before this one is used up."""
        one.is_topping_up = True
        task = asyncio.ensure_future(self._top_up(one))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _top_up(self, one: Slice) -> None:
        try:
            async with one.gate:
                await self._grow(one, 0)
        except Unavailable:
            one.low = 0  # whoever needs more asks for it
        finally:
            one.is_topping_up = False

    async def _ask(self, ask: Callable[..., Any], *about: object) -> Any:
        def run() -> object:
            try:
                return ask(*about)
            finally:
                close_old_connections()

        try:
            return await sync_to_async(run, thread_sensitive=False)()
        except DatabaseError:
            raise Unavailable(NO_ANSWER) from None

    def _exceeded(self, one: Slice, need: int) -> BudgetExceeded:
        stands = one.stands or lease_rows.GONE
        held = money.from_pico(max(0, one.free))  # ours, and not enough
        return BudgetExceeded(
            scope=one.terms.scope,
            name=one.terms.name,
            window=one.terms.window,
            limit=stands.limit,
            spent=stands.spent,
            reserved=max(Decimal(0), stands.leased - held),
            needed=money.from_pico(need),
            resets_at=windows.Window(one.key.start, one.end).resets_at,
        )

    # What the shipper's thread does -------------------------------------------------------------

    def pays(self, call: str, key: WindowKey) -> bool:
        """Whether a call has a reservation in this window."""
        hold = self._holds.get(call)
        return hold is not None and any(one.key == key for one in hold.slices)

    def booked(self, call: str) -> None:
        """The call's end is in the database."""
        hold = self._holds.pop(call, None)
        if hold:
            with self._lock:
                for one in hold.slices:
                    one.waiting -= 1

    def forgive(self, key: WindowKey, amount: int) -> None:
        """A call cost more than its lease had; the books have it, so it is no debt of ours."""
        for one in self._every_slice():
            if one.key == key:
                with self._lock:
                    one.free += amount

    def give_back(self, *, everything: bool = False) -> None:
        """Return what slices do not need. Raises DatabaseError."""
        now = self._clock()
        for one in self._every_slice():
            patience = IDLE_SECONDS_IN_PLENTY if one.is_in_plenty else IDLE_SECONDS
            is_over = everything or one in self._old or now - one.used_at > patience
            if one.stands and (is_over or one.is_called_back):
                self._return(one, wholly=is_over)
            with self._lock:
                if not (one.waiting or one.reserved or one.stands):
                    self._old.discard(one)

    def _return(self, one: Slice, *, wholly: bool) -> None:
        if not one.moving.acquire(blocking=False):
            return  # it is being topped up
        try:
            with self._lock:
                is_done = wholly and not one.reserved and not one.waiting
                amount = one.free if is_done else max(0, one.free)
                one.is_called_back = False
                if not amount and not is_done:
                    return
                stands = one.stands
                one.free -= amount
                one.low = 0
                if is_done:
                    one.stands = None
            try:
                lease_rows.give_back(
                    one.terms.tenant, one.key, self.holder, None if is_done else amount
                )
            except DatabaseError:
                with self._lock:
                    one.free, one.stands = one.free + amount, stands
                raise
        finally:
            one.moving.release()

    def _every_slice(self) -> list[Slice]:
        with self._lock:
            return [*self._slices.values(), *self._old]

    def call_back(
        self, tenant: UUID | None, budget: UUID | None, *, has_changed: bool = False
    ) -> None:
        """Somebody needs more, or a budget has changed: give back what lies idle, soon."""
        for one in self._every_slice():
            if tenant in {None, one.terms.tenant} and budget in {None, one.terms.id}:
                one.is_called_back = True
                one.refused = (0.0, 0)
                if has_changed:
                    with self._lock:
                        one.doubt()


def _call_back(tenant: UUID | None, budget: UUID | None) -> None:
    for leases in list(_all):
        leases.call_back(tenant, budget)


def _changed(tenant: UUID | None, budget: UUID | None) -> None:
    for leases in list(_all):
        leases.call_back(tenant, budget, has_changed=True)


_all: weakref.WeakSet[Leases] = weakref.WeakSet()
changes.listen(known_budgets.KIND, _changed)
changes.listen(lease_rows.RECALL, _call_back)
