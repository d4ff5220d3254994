"""A pipe from the supervisor to each of its children: when it dies, they see the end and stop."""

import os
import threading
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
