"""A journal whose shipper runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from billing.journal import Journal
from billing.shipper import Shipper


@contextmanager
def shipping(folder: Path) -> Iterator[Journal]:
    """A journal whose shipper runs; shipped to its end afterwards."""
    its = Journal(folder)
    running = Shipper(its, folder)
    running.start()
    try:
        yield its
    finally:
        running.stop()
        its.close()
