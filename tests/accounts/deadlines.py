"""Wait for something that another thread or process does, up to a deadline."""

import time
from collections.abc import Callable


def eventually(condition: Callable[[], object], *, within: float = 10.0) -> float:
    """Seconds until the condition held; fails the test when it never did."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > within:
            raise AssertionError(f"did not happen within {within} s")
        time.sleep(0.01)
    return time.monotonic() - began
