"""A pipe from the supervisor to each of its children: when it dies, they see the end and stop."""

import os
import threading
import time
from collections.abc import Callable

VARIABLE = "FLO2_LIFELINE_FD"


def hold(stop: Callable[[], object]) -> None:
    """Call `stop` when the supervisor is gone. Without a supervisor nothing happens."""
    fd = os.environ.get(VARIABLE)
    if fd is not None:
        threading.Thread(target=_wait, args=(int(fd), stop), daemon=True).start()


def _wait(fd: int, stop: Callable[[], object]) -> None:
    try:
        os.read(fd, 1)
    except OSError:
        return
    stop()


def end_with_parent(every_s: float = 1.0) -> None:
    """End this process soon after the one that forked it: nothing of it is worth keeping."""
    parent = os.getppid()
    threading.Thread(target=_watch, args=(parent, every_s), daemon=True).start()


def _watch(parent: int, every_s: float) -> None:
    while os.getppid() == parent:
        time.sleep(every_s)
    os._exit(0)
