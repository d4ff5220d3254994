"""Other threads, each with a database connection of its own."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

from accounts import changes


def in_a_thread(work: Callable[[], object]) -> threading.Thread:
    """A thread that runs `work` and then gives up its connection."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def at_once(*works: Callable[[], object]) -> list[object]:
    """What each of the works answers, or the exception it ends with; they begin together."""
    barrier = threading.Barrier(len(works))
    answers: list[object] = [None] * len(works)

    def run(place: int, work: Callable[[], object]) -> None:
        barrier.wait(10)
        try:
            answers[place] = work()
        except Exception as error:  # noqa: BLE001  the test looks at it
            answers[place] = error

    threads = [
        in_a_thread(lambda place=place, work=work: run(place, work))  # type: ignore[misc]
        for place, work in enumerate(works)
    ]
    for thread in threads:
        thread.join(30)
    return answers


@contextmanager
def polled_after_reading(table: str) -> Iterator[list[str]]:
    """Whenever this thread has read the table, the change feed polls, in another thread."""
    seen: list[str] = []

    def watch(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        answer = execute(sql, *rest)
        if f'FROM "{table}"' in sql:
            seen.append(sql)
            in_a_thread(changes.feed.poll).join(10)
        return answer

    with connection.execute_wrapper(watch):
        yield seen
