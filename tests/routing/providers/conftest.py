"""Memory of what was added to the catalogue does not outlive a test."""

from collections.abc import Iterator

import pytest

from routing.providers import overrides, prices


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    yield
    overrides.forget_all()
    prices.forget_all()
