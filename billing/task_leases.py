"""A task of the timetable is done by one host at a time: whoever gets its lease row."""

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from billing.models import TaskLease

SKEW = timedelta(minutes=1)  # between hosts' clocks; more than that, and one was set back


@contextmanager
def held(name: str, *, at_most: timedelta) -> Iterator[bool]:
    """Whether this process may do the task now; the lease ends with the block, or by time."""
    holder = f"{socket.gethostname()[:60]}:{os.getpid()}:{secrets.token_hex(4)}"
    mine = _take(name, holder, at_most)
    try:
        yield mine
    finally:
        if mine:
            TaskLease.objects.filter(name=name, holder=holder).update(
                holder="", until=timezone.now()
            )


def _take(name: str, holder: str, at_most: timedelta) -> bool:
    now = timezone.now()
    with transaction.atomic():
        TaskLease.objects.get_or_create(name=name, defaults={"holder": "", "until": now})
        # Later than can be: by a clock that ran ahead, and would be waited for.
        is_ahead = Q(until__gt=now + at_most + SKEW) | Q(holder="", until__gt=now + SKEW)
        free = TaskLease.objects.filter(Q(until__lte=now) | is_ahead, name=name)
        return bool(free.update(holder=holder, until=now + at_most))
