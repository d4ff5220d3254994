"""Remember what was worked out of objects that last, by which object it is. Pure.

Like `functools.lru_cache`, for arguments whose hash would cost more than the work, or that have
none. What is remembered keeps its object, so that an identity cannot come again.
"""

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")


def by_identity(most: int) -> Callable[[Callable[[K], V]], Callable[[K], V]]:
    """At most so many objects; then all are forgotten."""

    def decorate(work_out: Callable[[K], V]) -> Callable[[K], V]:
        known: dict[int, tuple[K, V]] = {}

        @wraps(work_out)
        def remembered(of: K) -> V:
            found = known.get(id(of))
            if found is not None and found[0] is of:
                return found[1]
            value = work_out(of)
            if len(known) >= most:
                known.clear()
            known[id(of)] = of, value
            return value

        return remembered

    return decorate
