"""A thread beside the loop of calls that takes what calls leave behind to the database."""

import logging
import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from django.db import close_old_connections, connection

log = logging.getLogger(__name__)

IDLE_SECONDS = 5.0

T = TypeVar("T")


class SideThread(Generic[T]):
    """Lives while there is work. `write` gets what waits, at most `at_once` of it, in its order.

    What does not fit on the list is not taken: no call waits for it.
    """

    def __init__(
        self, name: str, write: Callable[[list[T]], None], *, most: int, at_once: int = 1
    ) -> None:
        self._name, self._write, self._at_once = name, write, at_once
        self._waiting: queue.Queue[T] = queue.Queue(most)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def put(self, work: T) -> bool:
        """Whether it is taken."""
        try:
            self._waiting.put_nowait(work)
        except queue.Full:
            return False
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
        return True

    def flush(self, seconds: float | None = None) -> None:
        """Wait until everything is written, or for so long."""
        waiting = self._waiting
        with waiting.all_tasks_done:
            waiting.all_tasks_done.wait_for(lambda: not waiting.unfinished_tasks, seconds)

    def _run(self) -> None:
        while True:
            try:
                works = [self._waiting.get(timeout=IDLE_SECONDS)]
            except queue.Empty:
                with self._lock:
                    if self._waiting.empty():
                        self._thread = None
                        break
                continue
            self._add_waiting(works)
            try:
                self._write(works)
            except Exception:  # the thread's edge: what was left behind is lost, no call
                log.exception("what a call left behind was not written", extra={"by": self._name})
            finally:
                close_old_connections()
                for _ in works:
                    self._waiting.task_done()
        connection.close()

    def _add_waiting(self, works: list[T]) -> None:
        while len(works) < self._at_once:
            try:
                works.append(self._waiting.get_nowait())
            except queue.Empty:
                return
