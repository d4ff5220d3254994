"""Callers, and what the outsiders and the books say afterwards: shared by the crash experiments."""

import asyncio
import os
import sqlite3
from collections.abc import Callable

import httpx

from tests.servers.installation import Installation

FULL = os.environ.get("FLO2_TEST_FULL") == "1"
MARKER = "the-marker-of-this-experiment-7391"


async def call(http: httpx.AsyncClient, number: int, *, stream: bool) -> bool:
    """Make one call; whether the client saw it complete."""
    body = {
        "model": f"openai/call-{number}",
        "messages": [{"role": "user", "content": f"{MARKER} {number}"}],
        "stream": stream,
    }
    try:
        answer = await http.post("/v1/chat/completions", json=body)
    except httpx.HTTPError:
        return False
    if stream:
        return answer.status_code == 200 and answer.text.rstrip().endswith("data: [DONE]")
    return answer.status_code == 200


async def wait_until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  a number that grows has no event
        await asyncio.sleep(0.005)


def rows(installation: Installation, statement: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(installation.data / "flo2.sqlite3") as database:
        return database.execute(statement).fetchall()
