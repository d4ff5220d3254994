"""A process that spends budgets: run by the experiment, killed by it.

Reads its orders as JSON on the command line; writes `started`, then one line with what it did.
"""

import asyncio
import json
import random
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import django

django.setup()

from accounts import changes, ids  # noqa: E402
from accounts.errors import GatewayError  # noqa: E402
from billing.errors import BudgetExceeded  # noqa: E402
from billing.facts import AttemptEnded, CallOpened, CallSettled, Status  # noqa: E402
from billing.leases import Payer  # noqa: E402
from billing.ledger import Ledger  # noqa: E402

waited: list[float] = []  # seconds for the admission of each call
NEED = 10**9  # pico-dollars that a call may cost at most: a thousandth of a dollar


async def call(
    books: Ledger, orders: dict[str, Any], rng: random.Random, told: dict[str, int]
) -> None:
    """One call: admitted or refused, answered, failed or cancelled."""
    at = int(time.time() * 1000)
    tenant, project, key, lineage = UUID(rng.choice(orders["tenants"])), None, None, None
    if orders["projects"].get(str(tenant)):
        project = UUID(rng.choice(orders["projects"][str(tenant)]))
    if orders["keys"]:
        key, lineage = map(UUID, rng.choice(orders["keys"]))
    need = NEED if orders["exact"] else rng.randrange(NEED // 10, NEED)
    fact = CallOpened(
        call=ids.encode(ids.fresh()), tenant=tenant, opened_at=at, deadline=at + 60_000,
        mode="live", endpoint="chat", requested_model="auto", project=project, key=key,
        targets=("groq/llama",), expected_cost=Decimal(need // 2).scaleb(-12),
    )  # fmt: skip
    began = time.perf_counter()
    try:
        opened = await books.admit(fact, Payer(tenant, "live", project, lineage), need=need)
    except BudgetExceeded:
        told["refused"] += 1
        return
    except GatewayError:
        told["away"] += 1
        return
    told["admitted"] += 1
    waited.append(time.perf_counter() - began)
    fate = rng.random()
    await asyncio.sleep(rng.random() * 0.02)
    used = 0 if fate < 0.1 else need if orders["exact"] else rng.randrange(need + 1)
    outcome = "server" if fate < 0.1 else "cancelled" if fate < 0.3 else "answered"
    if orders["exact"]:
        used, outcome = need, "answered"
    cost = Decimal(used).scaleb(-12)
    opened.attempt_ended(
        AttemptEnded(
            call=fact.call,
            number=1,
            provider="groq",
            model="llama",
            outcome=outcome,
            cost=cost,
            cost_status="priced",
        )
    )
    status: Status = "succeeded" if outcome == "answered" else "failed"
    opened.settle(
        CallSettled(
            call=fact.call,
            status=status,
            settled_at=at,
            cost=cost,
            cost_status="priced",
        )
    )


async def main(orders: dict[str, Any]) -> dict[str, int]:
    books = Ledger(Path(orders["folder"]))
    books.start()
    await asyncio.to_thread(changes.feed.start)
    rng, told = random.Random(orders["seed"]), {"admitted": 0, "refused": 0, "away": 0}
    print("started", flush=True)
    ends = time.monotonic() + orders["seconds"]
    left = orders["calls"]

    async def caller() -> None:
        nonlocal left
        while left > 0 and time.monotonic() < ends:
            left -= 1
            await call(books, orders, rng, told)

    await asyncio.gather(*(caller() for _ in range(orders["callers"])))
    await asyncio.to_thread(changes.feed.stop)
    await asyncio.to_thread(books.stop)
    slowest = sorted(waited)[len(waited) * 99 // 100] if waited else 0.0
    return {**told, "p99_us": int(slowest * 1e6)}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(json.loads(sys.argv[1])))), flush=True)
