"""kill -9 of worker and gateway while pairs are judged: each pair once, every cent on the books.

The judge tosses a coin that the request decides, so that no verdict ends the judging early. The
truth is told by the provider's own list of what it would bill: no shadow or judge call that cost
something may be missing, and what the experiment says it spent is what the ledger says.
"""

import asyncio
import itertools
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tests.experiments.crashing import FULL, rows
from tests.servers.gateway import wait_for
from tests.servers.installation import Installation
from tests.servers.sandbox import Sandbox

PAIRS, KILLS, AT_ONCE = (500, 20, 8) if FULL else (12, 2, 4)
PATIENCE_S = 1200.0 if FULL else 90.0
GATEWAY, WORKER = "gateway_project.server", "celery"
BASES = {"GROQ": "groq/openai/v1", "CEREBRAS": "cerebras/v1", "OPENAI": "openai/v1"}
JUDGE = "openai/gpt-4.1-mini"
EXPERIMENT = {
    "name": "duel", "mode": "live", "assignment": "call", "shadow_rate": 1,
    "arms": [{"name": "A", "model": "groq/llama-3.3-70b-versatile"},
             {"name": "B", "model": "cerebras/gpt-oss-120b"}],
    "judge": {"model": JUDGE, "instructions": "sandbox judge: coin"},
    "target_pairs": 20_000, "max_judge_spend_usd": "50",
}  # fmt: skip
SAMPLES = "SELECT count(*) FROM routing_sample"
ENDED = f"{SAMPLES} WHERE state = 'done'"
CLAIMED = f"{SAMPLES} WHERE state = 'waiting' AND claim IS NOT NULL"


@pytest.fixture
def installation(sandbox: Sandbox) -> Iterator[Installation]:
    running = Installation(
        {f"FLO2_PROVIDER_{slug}_BASE_URL": f"{sandbox.url}/{path}" for slug, path in BASES.items()}
    )
    running.start()
    for slug in BASES:
        running.add_provider_key(slug.lower(), "good-key-0123456789")
    yield running
    running.stop()


def test_every_pair_is_judged_once_and_what_it_cost_is_on_the_books(
    installation: Installation, sandbox: Sandbox
) -> None:
    began = time.monotonic()
    experiment = manage(installation, "POST", "experiments", EXPERIMENT)["id"]
    manage(installation, "POST", f"experiments/{experiment}/start")

    asyncio.run(work(installation))

    wait_for(installation.is_ready, "the gateway is back", seconds=60)
    wait_for(lambda: is_over(installation), "all samples have ended", seconds=PATIENCE_S)
    wait_for(lambda: missing(installation, sandbox) == {}, "all billed is booked", seconds=60)
    wait_for(lambda: not are_open(installation), "every call is settled", seconds=60)
    report = manage(installation, "GET", f"experiments/{experiment}/report")
    check(installation, report)
    told = report["pairs"][0]
    print(
        f"{told['n']} pairs, {KILLS} kills, {time.monotonic() - began:.0f} s:"
        f" {told['wins']} won, {told['ties']} tied, {told['losses']} lost;"
        f" judge {report['judge_spend_usd']}, second answers {report['shadow_spend_usd']},"
        f" set aside {report['set_aside_usd']} USD"
    )


def check(installation: Installation, report: dict[str, Any]) -> None:
    judged = Counter(
        sample for (sample,) in rows(
            installation, "SELECT sample FROM routing_judgement WHERE kind != 'canary'"
        )
    )  # fmt: skip
    assert max(judged.values()) == 1
    assert set(judged) == {
        sample for (sample,) in rows(installation, "SELECT id FROM routing_sample")
    }
    assert report["pairs"][0]["n"] == len(judged) >= PAIRS
    assert report["waiting"] == 0

    ledger = Decimal(0)
    for purpose in ("judge", "shadow"):
        booked = f"FROM billing_call WHERE purpose = '{purpose}'"
        (spent,) = rows(installation, f"SELECT coalesce(sum(cost), 0) {booked}")[0]
        assert rows(installation, f"SELECT count(*) {booked} AND cost IS NULL") == [(0,)]
        assert Decimal(report[f"{purpose}_spend_usd"]) == usd(spent)
        ledger += usd(spent)
    by_pair = usd(rows(installation, "SELECT sum(cost) FROM routing_judgement")[0][0])
    assert 0 < by_pair <= ledger <= Decimal(report["set_aside_usd"]) <= 50
    assert "0 differences" in installation.manage("verify_ledger")


async def work(installation: Installation) -> None:
    """Calls until there are so many samples, and kills meanwhile and until all are judged."""
    numbers = itertools.count()

    async def caller() -> None:
        headers = {"Authorization": f"Bearer {installation.keys['live_key']}"}
        async with httpx.AsyncClient(
            base_url=installation.url, headers=headers, timeout=20, trust_env=False
        ) as http:
            while await count(installation, SAMPLES) < PAIRS:
                text = f"What comes after the number {next(numbers)}?"
                body = {"model": "auto", "messages": [{"role": "user", "content": text}]}
                try:
                    await http.post("/v1/chat/completions", json=body)
                except httpx.HTTPError:
                    await asyncio.sleep(0.05)
                if await count(installation, SAMPLES) - await count(installation, ENDED) > 150:
                    await asyncio.sleep(1)  # no more than 200 may wait

    await asyncio.gather(killer(installation), *(caller() for _ in range(AT_ONCE)))


async def killer(installation: Installation) -> None:
    """Each time when so many pairs are judged and others are claimed: worker, gateway, or both."""
    rng = random.Random(7391)
    victims = itertools.cycle([(WORKER,), (GATEWAY,), (WORKER, GATEWAY)])
    for turn in range(1, KILLS + 1):
        due = PAIRS * turn // (KILLS + 1)
        while not await is_due(installation, due):  # noqa: ASYNC110  rows have no event
            await asyncio.sleep(0.01)
        await asyncio.sleep(rng.random() * 0.2)
        for victim in next(victims):
            await asyncio.to_thread(installation.kill, victim)
        await asyncio.to_thread(let_claims_run_out, installation)


async def is_due(installation: Installation, ended: int) -> bool:
    is_at_work = await count(installation, CLAIMED) > 0
    return is_at_work and await count(installation, ENDED) >= ended


def let_claims_run_out(installation: Installation) -> None:
    """As if five minutes had passed: whoever still lives loses its claims, too."""
    with sqlite3.connect(installation.data / "flo2.sqlite3", timeout=30) as database:
        database.execute("UPDATE routing_sample SET claimed_until = NULL WHERE state = 'waiting'")


async def count(installation: Installation, statement: str) -> int:
    (found,) = (await asyncio.to_thread(rows, installation, statement))[0]
    assert isinstance(found, int)
    return found


def is_over(installation: Installation) -> bool:
    return not rows(installation, "SELECT 1 FROM routing_sample WHERE state = 'waiting' LIMIT 1")


def are_open(installation: Installation) -> bool:
    return bool(rows(installation, "SELECT 1 FROM billing_call WHERE status = 'open' LIMIT 1"))


def missing(installation: Installation, sandbox: Sandbox) -> dict[str, int]:
    """Exchanges by model that the provider would bill and the books do not have."""
    billed = Counter(str(one["model"]) for one in sandbox.billed())
    booked = rows(installation, "SELECT model, count(*) FROM billing_attempt GROUP BY model")
    return dict(billed - Counter({str(model): int(str(n)) for model, n in booked}))


def usd(pico: object) -> Decimal:
    return Decimal(str(pico or 0)) / 10**12


def manage(
    installation: Installation, method: str, path: str, body: dict[str, Any] | None = None
) -> dict[str, Any]:
    answer = httpx.request(
        method,
        f"{installation.url}/api/v1/{path}",
        headers={"Authorization": f"Bearer {installation.keys['management_key']}"},
        json=body,
        timeout=30,
        trust_env=False,
    )
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found
