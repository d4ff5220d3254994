"""What experiments with money and with crashes have in common."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from accounts.models import Tenant
from tests.factories.accounts import TenantFactory


@pytest.fixture
def tenant() -> Tenant:
    return TenantFactory.create()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """What is entered here is left when the test is over."""
    with ExitStack() as its:
        yield its
