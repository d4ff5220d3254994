"""`manage.py up`: what it says while it runs, and how it takes leave."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.servers.gateway import wait_for
from tests.servers.installation import Installation


@pytest.fixture(scope="module")
def running() -> Iterator[Installation]:
    """One for all: the last test stops it."""
    one = Installation({"PYTHONUNBUFFERED": ""})
    one.start()
    yield one
    one.stop()


def ask(running: Installation) -> httpx.Response:
    """A call whose provider is silent for half a minute."""
    return httpx.post(
        f"{running.url}/v1/chat/completions",
        json={
            "model": "groq/llama-3.3-70b-versatile",
            "messages": [{"role": "user", "content": "?"}],
        },
        headers={
            "Authorization": f"Bearer {running.keys['test_key']}",
            "x-flo2-simulate": "groq=slow@30000",
            "x-flo2-first-token-timeout-ms": "60000",
        },
        timeout=60,
        trust_env=False,
    )


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except ConnectionRefusedError:
        return True
    return False


def has_a_call_under_way(running: Installation) -> bool:
    return any(
        b'"type":"open"' in path.read_bytes() for path in (running.data / "journal").glob("*.jnl")
    )


def test_it_says_at_once_that_it_is_ready_also_into_a_file(running: Installation) -> None:
    wait_for(lambda: "flo2 is ready: http://" in (running.data / "log").read_text(), "it says so")


def test_who_comes_while_the_last_call_is_answered_is_refused_and_not_left_waiting(
    running: Installation,
) -> None:
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(ask, running)
        wait_for(lambda: has_a_call_under_way(running), "the call is under way")

        running.ask_to_stop()
        wait_for(lambda: refuses(running.port), "nobody listens")

        assert not call.done()
        running.stop()
