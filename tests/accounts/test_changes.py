"""The change feed tells the caches of every change, once, and soon."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest
from django.db import DatabaseError, transaction
from django.db.models.functions import Now

from accounts import changes, ids
from accounts.models import Change
from tests.accounts.databases import away, postgresql_only, rows_of
from tests.accounts.deadlines import eventually
from tests.accounts.threads import in_a_thread

KIND = "test_kind"
Told = list[tuple[UUID | None, UUID | None]]


def _has(told: Told, count: int) -> bool:
    return len(told) == count


@pytest.fixture
def told() -> Iterator[Told]:
    """What listeners of KIND have been told."""
    heard: Told = []
    changes.listen(KIND, lambda tenant, subject: heard.append((tenant, subject)))
    yield heard
    changes._listeners.pop(KIND)


def make_changes(*seconds_ago: int) -> None:
    for seconds in seconds_ago:
        Change.objects.create(
            kind=KIND, subject=UUID(int=seconds), created_at=Now() - timedelta(seconds=seconds)
        )


@pytest.mark.django_db(transaction=True)
def test_a_running_feed_tells_of_a_change_within_a_second(told: Told) -> None:
    feed = changes.Feed()
    feed.start()
    seconds = []
    for number in range(1, 4):
        changes.record(KIND, tenant=None, subject=UUID(int=number))
        seconds.append(eventually(partial(_has, told, number)))
    feed.stop()

    assert min(seconds) <= 1.0  # the best of three: the machine may be busy
    assert told == [(None, UUID(int=number)) for number in (1, 2, 3)]


@pytest.mark.django_db
def test_each_change_is_told_once_with_its_tenant_and_subject(told: Told) -> None:
    feed, tenant, subject = changes.Feed(), ids.new(), ids.new()
    changes.record(KIND, tenant=tenant, subject=subject)
    changes.record("another_kind", tenant=tenant)
    feed.poll()
    feed.poll()
    changes.record(KIND, tenant=tenant)
    feed.poll()

    assert told == [(tenant, subject), (tenant, None)]


@pytest.mark.django_db
def test_changes_with_numbers_out_of_order_are_all_told_once(told: Told) -> None:
    feed = changes.Feed()
    changes.record(KIND, tenant=None, subject=UUID(int=1))
    feed.poll()
    last = Change.objects.latest("id").pk
    for number in (last + 3, last + 1, last + 2):
        Change.objects.create(id=number, kind=KIND, subject=UUID(int=number))
        feed.poll()
        feed.poll()

    assert [subject for _, subject in told] == [
        UUID(int=number) for number in (1, last + 3, last + 1, last + 2)
    ]


@postgresql_only
@pytest.mark.django_db(transaction=True)
def test_a_change_that_commits_after_a_later_one_is_told_once(told: Told) -> None:
    feed = changes.Feed()
    written, may_commit = threading.Event(), threading.Event()

    def commit_late() -> None:
        with transaction.atomic():
            changes.record(KIND, tenant=None, subject=UUID(int=1))
            written.set()
            may_commit.wait(10)

    thread = in_a_thread(commit_late)
    assert written.wait(10)
    changes.record(KIND, tenant=None, subject=UUID(int=2))
    feed.poll()
    may_commit.set()
    thread.join()
    feed.poll()
    feed.poll()

    assert [subject for _, subject in told] == [UUID(int=2), UUID(int=1)]


@pytest.mark.django_db(transaction=True)
def test_a_change_that_is_rolled_back_is_not_told(told: Told) -> None:
    feed = changes.Feed()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        changes.record(KIND, tenant=None)
        _ = 1 // 0
    feed.poll()

    assert told == []


@pytest.mark.django_db(transaction=True)
def test_a_feed_that_starts_does_not_tell_of_what_was_before(told: Told) -> None:
    changes.record(KIND, tenant=None, subject=UUID(int=1))
    feed = changes.Feed()
    feed.start()
    feed.stop()
    changes.record(KIND, tenant=None, subject=UUID(int=2))
    feed.poll()

    assert told == [(None, UUID(int=2))]


@pytest.mark.django_db
def test_a_change_older_than_half_a_minute_is_no_news(told: Told) -> None:
    feed = changes.Feed()
    make_changes(20, 40)
    feed.poll()

    assert told == [(None, UUID(int=20))]


@pytest.mark.parametrize("clock", ["_good_at", "_good_wall"], ids=["away", "asleep"])
@pytest.mark.django_db
def test_what_changed_while_nobody_could_look_is_told_afterwards(told: Told, clock: str) -> None:
    feed = changes.Feed()
    make_changes(300, 900)
    setattr(feed, clock, getattr(feed, clock) - 600)
    feed.poll()

    assert told == [(None, UUID(int=300))]


@pytest.mark.django_db
def test_after_an_hour_anything_may_have_changed(told: Told) -> None:
    feed = changes.Feed()
    feed._good_at -= 3600
    feed.poll()
    feed.poll()

    assert told == [(None, None)]
    assert feed.generation == 1


@pytest.mark.django_db
def test_the_generation_rises_before_the_caches_are_told() -> None:
    feed, seen = changes.Feed(), []
    changes.listen(KIND, lambda *_: seen.append(feed.generation))
    changes.record(KIND, tenant=None)
    changes.record(KIND, tenant=None)
    feed.poll()
    feed.poll()
    changes._listeners.pop(KIND)

    assert seen == [1, 2]
    assert feed.generation == 2


@pytest.mark.django_db(transaction=True)
def test_while_the_database_is_away_the_feed_grows_old_and_afterwards_young(told: Told) -> None:
    feed = changes.Feed()
    with away():
        feed.start()  # on this thread's connection, which is open
        eventually(lambda: feed.age > 3 * changes.POLL_SECONDS)
        changes.record(KIND, tenant=None)
        assert told == []
    eventually(lambda: feed.age < 2 * changes.POLL_SECONDS)
    eventually(lambda: told)
    feed.stop()

    assert told == [(None, None)]


@pytest.mark.django_db(transaction=True)
def test_a_poll_that_fails_does_not_make_the_feed_young() -> None:
    feed = changes.Feed()
    feed._good_at -= 30
    failures: list[type[BaseException]] = []

    def poll() -> None:
        try:
            feed.poll()
        except DatabaseError as error:
            failures.append(type(error))

    with away():
        in_a_thread(poll).join()

    assert len(failures) == 1
    assert feed.age >= 30


@pytest.mark.django_db(transaction=True)
def test_a_listener_that_fails_ends_neither_the_feed_nor_the_news_of_others(told: Told) -> None:
    def fail(*_: UUID | None) -> None:
        raise RuntimeError("a bug in a cache")

    changes._listeners[KIND].insert(0, fail)
    feed = changes.Feed()
    feed.start()
    for number in (1, 2):
        changes.record(KIND, tenant=None, subject=UUID(int=number))
        eventually(partial(_has, told, number))
    eventually(lambda: feed.age < 1)
    feed.stop()

    assert told == [(None, UUID(int=1)), (None, UUID(int=2))]


@pytest.mark.django_db(transaction=True)
def test_a_feed_can_be_stopped_and_started_again(told: Told) -> None:
    feed = changes.Feed()
    for number in (1, 2):
        feed.start()
        changes.record(KIND, tenant=None, subject=UUID(int=number))
        eventually(partial(_has, told, number))
        feed.stop()

    assert len(told) == 2


@pytest.mark.django_db
def test_changes_that_no_feed_can_want_are_forgotten() -> None:
    for minutes in (59, 61, 600):
        Change.objects.create(kind=KIND, created_at=Now() - timedelta(minutes=minutes))

    assert changes.forget_old() == 2
    assert Change.objects.count() == 1


@postgresql_only
@pytest.mark.django_db(transaction=True)
def test_the_time_of_a_change_is_the_databases() -> None:
    changes.record(KIND, tenant=None)

    (late,) = rows_of("SELECT statement_timestamp() - created_at FROM accounts_change")

    assert timedelta(0) <= late[0] < timedelta(seconds=5)
