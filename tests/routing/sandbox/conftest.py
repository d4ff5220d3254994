"""One sandbox process for all tests of a worker."""

from collections.abc import Iterator

import pytest

from tests.routing.sandbox import server
from tests.routing.sandbox.server import Sandbox


@pytest.fixture(scope="session")
def process() -> Iterator[Sandbox]:
    with server.running("--faults") as running:
        yield running


@pytest.fixture
def sandbox(process: Sandbox) -> Iterator[Sandbox]:
    """The sandbox, with nothing switched on and nothing recorded."""
    process.control("DELETE", "faults")
    process.control("DELETE", "requests")
    yield process
    process.control("DELETE", "faults")
