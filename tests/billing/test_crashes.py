"""kill -9 in the middle of work, again and again: nothing completed is lost, nothing is double."""

import random
from pathlib import Path

import pytest

from accounts import ids
from billing import reconcile, rollups
from billing.models import SpendDay
from tests.accounts.databases import url
from tests.accounts.depth import FULL
from tests.billing import bookkeeping
from tests.billing.processes import running
from tests.factories.accounts import TenantFactory

KILLS = 20 if FULL else 5
CALLS = 2000

WORKER = """
import os, sys, time
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import django
django.setup()

from accounts import ids
from billing import ledger
from billing.facts import AttemptEnded, AttemptStarted, CallOpened, CallSettled

tenant, calls = UUID(sys.argv[2]), int(sys.argv[3])
books = ledger.start(Path(sys.argv[1]))
cost = Decimal("0.002")
for number in range(calls):
    now = int(time.time() * 1000)
    fact = CallOpened(ids.encode(ids.fresh()), tenant, now, now + 900_000, "live", "chat", "auto",
                      targets=("groq/m",), expected_cost=Decimal("0.003"))
    call = books.open_call(fact)
    os.write(1, f"open {fact.call}\\n".encode())
    attempt = 1
    if number % 5 == 0:
        call.attempt_ended(AttemptEnded(fact.call, 1, "groq", "m", "server", cost=Decimal(0),
                                        cost_status="priced"))
        attempt = 2
        call.attempt_started(AttemptStarted(fact.call, 2, "openai/m", 1, expected_cost=cost))
    call.attempt_ended(AttemptEnded(fact.call, attempt, "openai", "m", "answered", cost=cost,
                                    cost_status="priced"))
    call.settle(CallSettled(fact.call, "succeeded", now, cost=cost, cost_status="priced"))
    os.write(1, f"done {fact.call}\\n".encode())
print("finished", flush=True)
sys.stdin.readline()
"""


@pytest.mark.django_db(transaction=True)
def test_workers_killed_in_the_middle_of_2000_calls_lose_and_double_nothing(
    tmp_path: Path,
) -> None:
    tenant, rng = TenantFactory.create(), random.Random(9)
    opened: set[str] = set()
    done: set[str] = set()
    for _ in range(KILLS):
        said = _killed_after(rng.randrange(50, CALLS), tmp_path, str(tenant.pk))
        opened |= {line.removeprefix("open ") for line in said if line.startswith("open ")}
        done |= {line.removeprefix("done ") for line in said if line.startswith("done ")}
    reconcile.adopt_dead_journals(tmp_path)
    rollups.add_up()

    statuses = {ids.encode(call.int): status for call, status in bookkeeping.statuses().items()}
    assert len(done) > KILLS * 20
    assert {statuses.get(call) for call in done} == {"succeeded"}
    assert opened <= set(statuses)
    assert {statuses[call] for call in opened - done} <= {"succeeded", "unknown"}
    # A line may be in the journal that was not told before the kill: one per worker.
    assert len(set(statuses) - opened) <= KILLS
    _check_sums()


def _killed_after(lines: int, folder: Path, tenant: str) -> list[str]:
    """What a worker said that was killed when it had said so much, and in no case finished."""
    env = {"DATABASE_URL": url(), "DJANGO_SETTINGS_MODULE": "tests.settings"}
    with running(WORKER, str(folder), tenant, str(CALLS), env=env) as worker:
        said = [worker.read_line() for _ in range(lines)]
        worker.kill()
        rest = worker.read_rest()
    if rest and len(rest[-1]) < len(said[0]):
        del rest[-1]  # cut off
    assert "finished" not in rest
    return said + rest


def _check_sums() -> None:
    """Calls, attempts and roll-ups say the same."""
    calls, attempts = bookkeeping.calls(), bookkeeping.attempts()
    numbers = {(attempt["call_id"], attempt["number"]) for attempt in attempts}
    assert len(numbers) == len(attempts)
    assert {call["id"] for call in calls} == {attempt["call_id"] for attempt in attempts}
    spent = sum(attempt["cost"] for attempt in attempts)
    assert sum(call["cost"] for call in calls) == spent
    assert sum(call["attempts"] for call in calls) == len(attempts)
    sums = bookkeeping.sums_of(SpendDay)
    assert (sums["calls"], sums["attempts"], sums["cost"]) == (len(calls), len(attempts), spent)
    assert sums["failed_calls"] == sum(call["status"] == "unknown" for call in calls)
