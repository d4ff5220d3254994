"""The choke point in front of every upstream call: nothing is sent that is not on the books.

`admit` asks rates and budgets, `open_call` writes the intent and hands out an `OpenCall`; whoever
sends bytes to a provider needs one. It notes each attempt and ends in exactly one settlement,
whatever happened, which gives back what was reserved and not spent.
"""

import asyncio
import logging
import time
from pathlib import Path

import msgspec
from django.conf import settings

from accounts.errors import Unavailable
from billing import lease_rows, leases, money
from billing.errors import LedgerUnavailable
from billing.facts import AttemptEnded, AttemptStarted, CallOpened, CallSettled, Fact
from billing.group_sync import GroupSync
from billing.journal import Journal
from billing.lease_rows import Holder
from billing.leases import Hold, Leases, Payer, Short
from billing.rates import Limits, Permit, Rates, Standing
from billing.shared_rates import RedisRates
from billing.shipper import Shipper
from billing.unwritten import End, Unwritten

log = logging.getLogger(__name__)

REFUSALS_PER_SECOND = 10  # of one key; the rest is only counted
MOST_REFUSALS = 1_000  # that wait for a store: they must not push out the ends of calls
ROOM_CHECK_SECONDS = 1.0
KEPT_SECONDS, KEPT_POLL_SECONDS = 5.0, 0.02  # for the end of a call that the journal cannot take


class OpenCall:
    """A call on the books: attempts are added, then it is settled once."""

    __slots__ = (
        "_end",
        "_hold",
        "_ledger",
        "_payer",
        "_pending",
        "attempts",
        "is_settled",
        "opened",
        "permit",
    )

    def __init__(
        self,
        ledger: "Ledger",
        opened: CallOpened,
        payer: Payer | None = None,
        hold: Hold | None = None,
        permit: Permit | None = None,
    ) -> None:
        self._ledger, self.opened = ledger, opened
        self._payer, self._hold, self.permit = payer, hold, permit
        self._pending: list[Fact] = []
        self._end: End | None = None  # if the journal could not take it
        self.attempts: list[AttemptEnded] = []
        self.is_settled = False

    @property
    def is_limited(self) -> bool:
        """Whether a hard budget has to pay for each further attempt."""
        return self._hold is not None

    @property
    def rates(self) -> Standing | None:
        """Where the caller's key stood when this call was counted; None without limits."""
        return self.permit.standing if self.permit else None

    async def cover(self, need: int) -> None:
        """Reserve what a further attempt may cost at most, in pico-dollars, or several at once.

        Raises BudgetExceeded: then it must not be made.
        """
        if self._hold and self._payer:
            in_all = self.spent + need
            await self._ledger.widen(self._payer, self._hold, in_all)

    def attempt_started(self, fact: AttemptStarted) -> None:
        """Note an attempt that the intent does not cover. Raises LedgerUnavailable."""
        self._ledger.write(*self._pending, fact)
        self._pending.clear()

    def attempt_ended(self, fact: AttemptEnded) -> None:
        """Note how an attempt ended; written with the next record of this call."""
        if self.is_settled:
            raise RuntimeError("an attempt ended after its call was settled")
        self.attempts.append(fact)
        self._pending.append(fact)

    def settle(self, fact: CallSettled) -> None:
        """End the call: before its client sees the end. Only the first settlement counts.

        What the journal cannot take waits in memory for the database; `durable` tells.
        """
        if self.is_settled:
            return
        self.is_settled = True
        try:
            self._ledger.write(*self._pending, fact)
        except LedgerUnavailable:
            self._end = self._ledger.keep(self.opened, *self.attempts, fact)
        finally:
            self._pending.clear()
            self._let_go()

    def _let_go(self) -> None:
        """Whatever became of its record, the call holds nothing any more."""
        self._ledger.open_calls.discard(self)
        if self.permit:
            self.permit.end(sum(a.usage.total_tokens for a in self.attempts))
        if self._hold:
            self._ledger.leases.close(self._hold, self.spent)

    async def durable(self) -> None:
        """Wait until what was noted survives the loss of power, where the installation wants it.

        And until the end of a call is in the database that the journal could not take.

        Raises LedgerUnavailable. A call that has not begun by then never will, and is settled.
        """
        try:
            if self._end:
                await self._ledger.kept(self._end)
            elif self._ledger.journal.is_group:
                await self._ledger.sync.durable()
        except BaseException as error:
            if not self.attempts and not self.is_settled:
                self.settle(_never_begun(self.opened, error))
            raise

    @property
    def spent(self) -> int:
        """Pico-dollars that the attempts have cost so far."""
        return sum(money.to_pico(a.cost) for a in self.attempts if a.cost)


class Ledger:
    """The books of this process: a journal, and the shipper that takes it to the database."""

    def __init__(self, folder: Path) -> None:
        self.journal = Journal(folder, group=settings.FLO2_JOURNAL_FSYNC == "group")
        self.sync = GroupSync(self.journal)
        self.leases = Leases(Holder(self.journal.name, lease_rows.folder_id(folder)))
        self.rates = Rates(processes=settings.FLO2_WORKERS, shared=_shared_rates())
        self.unwritten = Unwritten()
        self.shipper = Shipper(self.journal, folder, self.leases, self.unwritten)
        self.open_calls: set[OpenCall] = set()
        self.refusals_not_kept = 0
        self._room_checked_at = -ROOM_CHECK_SECONDS
        self._refusals: dict[object, tuple[int, int]] = {}

    def start(self) -> None:
        self.shipper.start()

    def stop(self) -> None:
        """Ship what there is and give up the journal."""
        self.shipper.stop()
        self.journal.close()

    async def admit(
        self, fact: CallOpened, payer: Payer, *, need: int = 0, limits: Limits | None = None
    ) -> OpenCall:
        """Open a call if rates and budgets allow it; `need` is its worst case in pico-dollars.

        Memory answers, but for a slice that is used up, and for rates that are shared. Raises
        RateLimited, BudgetExceeded, Unavailable, LedgerUnavailable: then nothing may be sent.
        """
        permit = None
        if limits:
            expires_s = (fact.deadline - fact.opened_at) / 1000
            permit = await self.rates.admit(
                limits, fact.call, tokens=fact.input_estimate, expires_s=expires_s
            )
        try:
            hold = await self._reserve(fact, payer, need)
            call = self.open_call(fact, payer, hold, permit)
        except BaseException:
            if permit:
                permit.end(0)
            raise
        await call.durable()
        return call

    async def admit_free(self, fact: CallOpened, *, limits: Limits | None = None) -> OpenCall:
        """Open a call that will ask nobody and cost nothing: rates apply to it, budgets do not.

        Raises RateLimited, LedgerUnavailable.
        """
        permit = None
        if limits:
            expires_s = (fact.deadline - fact.opened_at) / 1000
            permit = await self.rates.admit(
                limits, fact.call, tokens=fact.input_estimate, expires_s=expires_s
            )
        try:
            return self.open_call(fact, permit=permit)
        except BaseException:
            if permit:
                permit.end(0)
            raise

    async def _reserve(self, fact: CallOpened, payer: Payer, need: int) -> Hold | None:
        for _ in range(leases.MOST_TRIES):
            try:
                return self.leases.take(fact.call, payer, need=need, at=fact.opened_at)
            except Short as short:
                await self.leases.fill(payer, short)
        raise Unavailable("The gateway cannot check your budgets at the moment.")

    async def widen(self, payer: Payer, hold: Hold, amount: int) -> None:
        """Reserve as much as this for a call that is open. Raises BudgetExceeded, Unavailable."""
        for _ in range(leases.MOST_TRIES):
            try:
                self.leases.widen(hold, amount)
            except Short as short:
                await self.leases.fill(payer, short)
            else:
                return
        raise Unavailable("The gateway cannot check your budgets at the moment.")

    def open_call(
        self,
        fact: CallOpened,
        payer: Payer | None = None,
        hold: Hold | None = None,
        permit: Permit | None = None,
    ) -> OpenCall:
        """Write the intent to call. Raises LedgerUnavailable: then nothing may be sent.

        Nobody calls this but `admit`, which has asked whether the call may be made.
        """
        try:
            now = time.monotonic()
            if now - self._room_checked_at > ROOM_CHECK_SECONDS:
                self.journal.check_room()
                self._room_checked_at = now
                self._flush()
            if hold:  # so that whoever ships it after our death knows whose lease pays
                fact = msgspec.structs.replace(fact, reserved=hold.budgets)
            self.journal.append(fact)
        except LedgerUnavailable:
            if hold:
                self.leases.abandon(fact.call, hold)
            raise
        call = OpenCall(self, fact, payer, hold, permit)
        self.open_calls.add(call)
        return call

    def refuse(self, opened: CallOpened, settled: CallSettled) -> None:
        """A call of a known key that was refused before it began: a record of its own."""
        second = settled.settled_at // 1000
        at, count = self._refusals.get(opened.key, (second, 0))
        count = count + 1 if at == second else 1
        if len(self._refusals) > 10_000:
            self._refusals.clear()
        self._refusals[opened.key] = (second, count)
        if count > REFUSALS_PER_SECOND:
            self.refusals_not_kept += 1
            return
        try:
            self.write(opened, settled)
        except LedgerUnavailable:  # the caller hears why the call was refused all the same
            if len(self.unwritten) < MOST_REFUSALS:
                self.keep(opened, settled)
            else:
                self.refusals_not_kept += 1

    def write(self, *facts: Fact) -> None:
        """Write facts of a call that is open. Raises LedgerUnavailable."""
        try:
            self.journal.append(*facts)
        except LedgerUnavailable:
            self.journal.append(*facts)  # into the reserve, which the failure has released

    def keep(self, *facts: Fact) -> End:
        """Remember all facts of a call, from its opening to its end, until a store takes them."""
        end = End(facts)
        self.unwritten.put(end)
        self.shipper.nudge()
        return end

    async def kept(self, end: End) -> None:
        """Wait until the end of a call is in a store. Raises LedgerUnavailable after 5 seconds."""
        give_up = time.monotonic() + KEPT_SECONDS
        while not end.is_kept:
            if time.monotonic() > give_up:
                raise LedgerUnavailable
            await asyncio.sleep(KEPT_POLL_SECONDS)

    def _flush(self) -> None:
        """The journal has room again: it takes what waits."""
        ends = self.unwritten.take() if self.unwritten else []
        for place, end in enumerate(ends):
            try:
                self.write(*end.facts)
            except LedgerUnavailable:
                self.unwritten.give_back(ends[place:])
                raise
            end.is_kept = True


def _never_begun(opened: CallOpened, error: BaseException) -> CallSettled:
    """The end of a call before anything was sent for it."""
    is_ours = isinstance(error, LedgerUnavailable)
    return CallSettled(
        call=opened.call,
        status="failed" if is_ours else "cancelled",
        settled_at=int(time.time() * 1000),
        http_status=LedgerUnavailable.status if is_ours else 499,
        error_code=LedgerUnavailable.code if is_ours else "client_cancelled",
        cost=money.ZERO,
        cost_status="priced",
    )


def _shared_rates() -> RedisRates | None:
    return RedisRates(settings.REDIS_URL) if settings.REDIS_URL else None


_ledger: Ledger | None = None


def start(folder: Path) -> Ledger:
    """Open the books of this process; called once, after any fork."""
    global _ledger
    _ledger = Ledger(folder)
    _ledger.start()
    return _ledger


def stop() -> None:
    global _ledger
    if _ledger:
        _ledger.stop()
        _ledger = None


def current() -> Ledger:
    """The books of this process, which must have been opened."""
    if _ledger is None:
        raise RuntimeError("ledger.start() was not called in this process")
    return _ledger
