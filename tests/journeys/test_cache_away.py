"""The response cache over HTTP, while its store does not answer."""

import socket
import time

import pytest

from accounts import audit
from accounts.tenancy import tenant_scope
from routing import runtime
from routing.cache import choice
from routing.cache.shared import Shared
from tests.journeys.conftest import Caller
from tests.journeys.test_cache import ask, word


def test_a_redis_that_does_not_answer_delays_a_call_by_a_moment(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tenant_scope(caller.tenant.pk):
        choice.switch(caller.tenant, on=True, actor=audit.SYSTEM)
    assert ask(caller, headers={}).status_code == 200  # what a first call has to load is loaded
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(100)
        stalled = Shared(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        monkeypatch.setattr(runtime.current().cache, "store", stalled)
        began = time.monotonic()
        answer = ask(caller)
        took = time.monotonic() - began
        assert word(answer) == "MISS"

    assert took < 0.9
