"""One caller for the whole matrix: nothing here looks into the books, so nothing is cleared.

These tests ask for no database of their own, so that they run after those that clear it.
"""

from collections.abc import Iterator

import pytest
from pytest_django.plugin import DjangoDbBlocker

from tests.journeys.conftest import Caller, new_caller
from tests.servers.gateway import Gateway
from tests.servers.sandbox import Sandbox


@pytest.fixture(scope="session")
def caller(
    gateway_server: Gateway, sandbox_server: Sandbox, django_db_blocker: DjangoDbBlocker
) -> Iterator[Caller]:
    """A tenant that stays."""
    sandbox_server.heal()
    with django_db_blocker.unblock():
        yield new_caller(gateway_server)
        gateway_server.settle()
