"""A process that spends budgets: run by the experiments, killed by them.

Reads its orders as JSON on the command line; writes `started`, then one line with what it did.
"""

import asyncio
import json
import random
import sys
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import django
import msgspec

django.setup()

from accounts import changes, ids  # noqa: E402
from accounts.errors import GatewayError  # noqa: E402
from billing.errors import BudgetExceeded, RateLimited  # noqa: E402
from billing.facts import AttemptEnded, CallOpened, CallSettled, Status  # noqa: E402
from billing.leases import Payer  # noqa: E402
from billing.ledger import Ledger, OpenCall  # noqa: E402
from billing.rates import Limits  # noqa: E402

NEED = 10**9  # pico-dollars that a call may cost at most: a thousandth of a dollar
DAY_MS = 86_400_000


class Orders(msgspec.Struct, frozen=True):
    folder: str
    seed: int
    tenants: list[UUID]
    calls: int
    callers: int
    seconds: float
    projects: dict[UUID, list[UUID]] = {}  # by tenant
    keys: list[tuple[UUID, UUID]] = []  # with their lineages
    exact: bool = False  # each call is answered, at its worst case
    takes: float = 0.02  # seconds that a call takes at most
    pauses: float = 0.0  # seconds between a caller's calls, at most
    excess: tuple[float, int] = (0.0, 1)  # so many calls cost up to so many times their worst case
    clock: tuple[int, float, float] | None = None  # Unix ms at this monotonic second; its speed
    requests: int | None = None  # per minute, by the first key
    begins: float = 0.0  # at this monotonic second, or at once
    ramp: float = 0.0  # so long all callers of all processes ask one after the other
    every: float = 0.0  # so many seconds apart
    place: tuple[int, int] = (0, 1)  # of this process among how many
    tells_times: bool = False


class Spender:
    def __init__(self, orders: Orders) -> None:
        self.orders = orders
        self.rng = random.Random(orders.seed)
        self.books = Ledger(Path(orders.folder))
        self.left = orders.calls
        self.told = {"admitted": 0, "refused": 0, "limited": 0, "away": 0}
        self.from_memory: list[float] = []  # seconds for an admission that waited for nothing
        self.asked: list[float] = []  # and for one that asked the database or Redis
        self.first: list[float] = []  # of tenants of whom this process knew nothing yet
        self.known: set[UUID] = set()
        # Before and after the admission of each call, on the clock that this machine's Redis reads.
        self.times: list[tuple[str, float, float]] = []

    async def call(self) -> None:
        """One call: admitted or refused, answered, failed or cancelled."""
        rng, orders = self.rng, self.orders
        need = NEED if orders.exact else rng.randrange(NEED // 10, NEED)
        opened = await self._admitted(need)
        if opened is None:
            return
        await asyncio.sleep(rng.random() * orders.takes)
        fate = 1.0 if orders.exact else rng.random()
        outcome = "server" if fate < 0.1 else "cancelled" if fate < 0.3 else "answered"
        used = 0 if fate < 0.1 else need if orders.exact else rng.randrange(need + 1)
        share, times = orders.excess
        if share and rng.random() < share:
            used = rng.randrange(need, times * need)
        end(opened, outcome, Decimal(used).scaleb(-12))

    async def _admitted(self, need: int) -> OpenCall | None:
        fact, payer, limits = self._drawn(need)
        waits: list[int] = []
        waiting = asyncio.get_running_loop().call_soon(waits.append, 1)
        began, is_known, asked_at = time.monotonic(), payer.tenant in self.known, time.time()
        try:
            opened = await self.books.admit(fact, payer, need=need, limits=limits)
        except BudgetExceeded:
            self.told["refused"] += 1
            return None
        except RateLimited:
            self.told["limited"] += 1
            return None
        except GatewayError:
            self.told["away"] += 1
            return None
        finally:
            waiting.cancel()
            ended = time.monotonic()
        self.told["admitted"] += 1
        self.known.add(payer.tenant)
        took = (self.asked if waits else self.from_memory) if is_known else self.first
        took.append(ended - began)
        if self.orders.tells_times:
            self.times.append((opened.opened.call, asked_at, time.time()))
        return opened

    def _drawn(self, need: int) -> tuple[CallOpened, Payer, Limits | None]:
        rng, orders = self.rng, self.orders
        tenant, project, key, lineage, limits = rng.choice(orders.tenants), None, None, None, None
        if orders.projects.get(tenant):
            project = rng.choice(orders.projects[tenant])
        if orders.keys:
            key, lineage = rng.choice(orders.keys)
        if orders.requests and lineage:
            limits = Limits(lineage, requests=orders.requests)
        at = self._now()
        fact = CallOpened(
            call=ids.encode(ids.fresh()), tenant=tenant, opened_at=at, deadline=at + 60_000,
            mode="live", endpoint="chat", requested_model="auto", project=project, key=key,
            targets=("groq/llama",), expected_cost=Decimal(need // 2).scaleb(-12),
        )  # fmt: skip
        return fact, Payer(tenant, "live", project, lineage), limits

    def _now(self) -> int:
        """Unix ms; of a clock that runs fast, one in five times at the very edge of a day."""
        if self.orders.clock is None:
            return int(time.time() * 1000)
        start, since, speed = self.orders.clock
        at = int(start + (time.monotonic() - since) * 1000 * speed)
        if self.rng.random() < 0.2:
            edge = round(at / DAY_MS) * DAY_MS
            return edge + self.rng.choice((-1, 0, 1))
        return at

    async def run(self) -> dict[str, Any]:
        self.books.start()
        await asyncio.to_thread(changes.feed.start)
        print("started", flush=True)
        began = max(time.monotonic(), self.orders.begins)
        await asyncio.sleep(began - time.monotonic())
        callers = (self._caller(number, began) for number in range(self.orders.callers))
        await asyncio.gather(*callers)
        await asyncio.to_thread(changes.feed.stop)
        await asyncio.to_thread(self.books.stop)
        figures = {
            "from_memory": len(self.from_memory),
            "from_memory_p99_us": p99_us(self.from_memory),
            "asked": len(self.asked),
            "asked_p99_us": p99_us(self.asked),
            "first": len(self.first),
            "first_p99_us": p99_us(self.first),
            "p99_us": p99_us(self.from_memory + self.asked),
        }
        return {**self.told, **figures, **({"times": self.times} if self.times else {})}

    async def _caller(self, number: int, began: float) -> None:
        orders = self.orders
        place, processes = orders.place
        turn = number * processes + place
        while self.left > 0 and (passed := time.monotonic() - began) < orders.seconds:
            if passed < orders.ramp:
                due = turn * orders.every
                turn += orders.callers * processes
                await asyncio.sleep(max(0.0, due - passed))
                if due >= orders.ramp:
                    continue
            elif orders.pauses:
                await asyncio.sleep(self.rng.random() * orders.pauses)
            self.left -= 1
            await self.call()


def end(opened: OpenCall, outcome: str, cost: Decimal) -> None:
    call = opened.opened.call
    opened.attempt_ended(
        AttemptEnded(call, 1, "groq", "llama", outcome, cost=cost, cost_status="priced")
    )
    status: Status = "succeeded" if outcome == "answered" else "failed"
    now = int(datetime.now(UTC).timestamp() * 1000)
    opened.settle(CallSettled(call, status, now, cost=cost, cost_status="priced"))


def p99_us(seconds: list[float]) -> int:
    return int(sorted(seconds)[len(seconds) * 99 // 100] * 1e6) if seconds else 0


if __name__ == "__main__":
    told = asyncio.run(Spender(msgspec.json.decode(sys.argv[1], type=Orders)).run())
    print(json.dumps(told), flush=True)
