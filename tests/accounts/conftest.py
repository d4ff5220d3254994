"""The change feed of this process, as a running gateway has it."""

from collections.abc import Iterator

import pytest

from accounts import changes


@pytest.fixture
def feed(transactional_db: None) -> Iterator[changes.Feed]:
    """The feed's thread runs during the test."""
    changes.feed.start()
    yield changes.feed
    changes.feed.stop()


@pytest.fixture
def fresh(transactional_db: None) -> changes.Feed:
    """The feed has polled just now and does not go on by itself."""
    changes.feed.poll()
    return changes.feed
