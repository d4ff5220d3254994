"""How much training data is kept and for how long; sealed, deleted for good, nobody else's."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from django.conf import settings
from django.db import connection
from redis import Redis

from accounts import ids
from accounts.models import User
from accounts.tenancy import tenant_scope
from routing import collecting, sampling
from routing.models import CollectedCall, Sample
from routing.tasks import forget_expired_answers
from routing.training_data import rows
from tests.contract.ends import DIALECTS, PROVIDERS
from tests.journeys.conftest import Caller, new_caller
from tests.journeys.experimenting import run_experiment
from tests.journeys.test_cache import everything
from tests.journeys.training import (
    collect,
    counted,
    exported,
    fact,
    listed,
    manager,
    say,
)

MARKER = "quince-marker-2207"
ENDS = {end.slug: end for end in PROVIDERS}


def test_of_45_calls_the_newest_30_stay(caller: Caller) -> None:
    with manager(caller) as http:
        collect(caller, http, content_cap=30)
        threads = [
            threading.Thread(target=lambda n=n: [say(caller, f"{n}-{m}") for m in range(9)])
            for n in range(5)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(listed(http)) == 30

        http.patch("/api/v1/settings", json={"content_cap": 10})
        kept = [one["id"] for one in listed(http)]
        assert len(kept) == 10
        assert kept == sorted(kept, reverse=True)


def test_the_cap_holds_while_many_write_at_once(caller: Caller) -> None:
    with manager(caller) as http:
        collect(caller, http, content_cap=25)
    now = datetime.now(UTC)

    def write() -> None:
        for _ in range(8):
            rows.save(caller.tenant.pk, [(fact(now), b"{}") for _ in range(5)])
            assert counted(caller) <= 25
        connection.close()

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert counted(caller) == 25


def test_bytes_are_bounded_too_and_the_oldest_go(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    with manager(caller) as http:
        collect(caller, http)
    monkeypatch.setattr(rows, "SHARE_BYTES", 10_000)
    now = datetime.now(UTC)
    facts = [fact(now) for _ in range(6)]

    for one in facts:
        rows.save(caller.tenant.pk, [(one, b"x" * 2500)])

    with tenant_scope(caller.tenant.pk):
        kept = set(CollectedCall.objects.for_tenant(caller.tenant).values_list("id", flat=True))
    assert kept == {one.call for one in facts[-3:]}


def test_what_is_too_old_is_not_shown_and_goes_with_the_next_round(caller: Caller) -> None:
    with manager(caller) as http:
        collect(caller, http, retention_days=7)
        old, young = say(caller, "old"), say(caller, "young")
        assert len(listed(http)) == 2
        with tenant_scope(caller.tenant.pk):
            held = CollectedCall.objects.for_tenant(caller.tenant)
            held.filter(pk=ids.read("call", old)).update(
                created_at=datetime.now(UTC) - timedelta(days=7, minutes=1)
            )

        assert [one["id"] for one in listed(http)] == [young]
        assert http.get(f"/api/v1/training-data/{old}").status_code == 404
        assert counted(caller) == 2

    forget_expired_answers()

    assert counted(caller) == 1


def test_with_everything_off_nothing_of_a_call_is_found_anywhere(
    caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    for dialect in DIALECTS:
        for more in ({}, {"stream": True}):
            dialect.ask(caller, ENDS["groq"], f"Say {MARKER}", **more)
    collecting.writer.flush()
    caller.gateway.settle()

    assert found_in() == []
    assert MARKER not in caplog.text


def test_what_is_collected_is_sealed_and_gone_once_it_is_deleted(
    caller: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    with manager(caller) as http:
        collect(caller, http)
        for dialect in DIALECTS:
            for more in ({}, {"stream": True}):
                dialect.ask(caller, ENDS["groq"], f"Say {MARKER}", **more)
        assert len(listed(http)) == 6
        assert MARKER in json.dumps(exported(http))
        caller.gateway.settle()
        assert found_in() == []  # it is sealed wherever it lies

        assert http.delete("/api/v1/training-data").json() == {"collected_calls": 6}

        assert listed(http) == exported(http) == []
        assert counted(caller) == 0
        assert found_in() == []
        say(caller, "It goes on.")
        assert len(listed(http)) == 1
    assert MARKER not in caplog.text


def found_in() -> list[str]:
    """Where the marker is: tables, files of the data directory (journals, logs, queue), Redis."""
    places = [name for name, held in everything() if MARKER.encode() in held]
    if settings.REDIS_URL:
        places += [name for name, held in held_by_redis() if MARKER.encode() in held]
    assert Path(settings.FLO2_DATA_DIR, "journal").exists()
    return places


def held_by_redis() -> Iterator[tuple[str, bytes]]:
    """Every key and what is under it; DUMP would compress."""
    with Redis.from_url(settings.REDIS_URL) as redis:
        readers: dict[bytes, Callable[[bytes], Any]] = {
            b"string": redis.get,
            b"hash": redis.hgetall,
            b"list": lambda key: redis.lrange(key, 0, -1),
            b"set": redis.smembers,
            b"zset": lambda key: redis.zrange(key, 0, -1),
            b"stream": redis.xrange,
        }
        for key in redis.scan_iter(count=1000):
            kind = cast("bytes", redis.type(key))
            if kind != b"none":
                yield f"redis {key!r}", key + repr(readers[kind](key)).encode()


def test_a_call_that_had_begun_before_the_deletion_is_not_kept_after_it(caller: Caller) -> None:
    with manager(caller) as http:
        collect(caller, http)
        began = datetime.now(UTC)
        http.delete("/api/v1/training-data")

        assert rows.save(caller.tenant.pk, [(fact(began), b"{}")]) == 0
        assert rows.save(caller.tenant.pk, [(fact(datetime.now(UTC)), b"{}")]) == 1


def test_delete_content_erases_samples_of_experiments_as_well(caller: Caller) -> None:
    row = run_experiment(caller)
    with manager(caller) as http:
        collect(caller, http)
        say(caller, f"Say {MARKER}", model="auto")
        sampling.writer.flush()
        assert len(listed(http)) == 1
        assert sampled(caller) == 1

        gone = http.post("/api/v1/settings/delete-content").json()

        assert gone == {"cached_answers": 0, "collected_calls": 1, "samples": 1, "comments": 0}
        assert sampled(caller) == 0
        assert listed(http) == []
        told = http.get(f"/api/v1/experiments/{row.shown_id}").json()
        assert told["status"] == "running"


def sampled(caller: Caller) -> int:
    with tenant_scope(caller.tenant.pk):
        return Sample.objects.for_tenant(caller.tenant).exclude(content=None).count()


def test_another_tenant_finds_and_deletes_nothing(caller: Caller) -> None:
    with manager(caller) as http:
        collect(caller, http)
        call = say(caller, f"Say {MARKER}")
        assert len(listed(http)) == 1
    User.objects.filter(email="owner@example.org").update(email="first@example.org")
    stranger = new_caller(caller.gateway)
    with manager(stranger) as http:
        assert listed(http) == exported(http) == []
        assert http.get(f"/api/v1/training-data/{call}").status_code == 404
        assert http.delete(f"/api/v1/training-data/{call}").status_code == 404
        assert http.delete("/api/v1/training-data").json() == {"collected_calls": 0}
    with caller.gateway.client(caller.test_key) as http:
        assert http.get("/api/v1/training-data").status_code == 401
    assert counted(caller) == 1
