"""One connection, and one exchange after the other on it."""

import asyncio
import contextlib
import time

import pytest

from routing.upstream.connection import Limits, Origin
from routing.upstream.pool import Pool

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n%b"
REQUEST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"


async def exchanges(*answers: bytes) -> tuple[list[bytes], int]:
    """What is read of these answers, each to a request of its own; and how many connections."""
    waiting, connections = list(answers), 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError):  # the client closes when it likes
            while waiting and await reader.readuntil(b"\r\n\r\n"):
                writer.write(waiting.pop(0))
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    origin = Origin("http", "127.0.0.1", server.sockets[0].getsockname()[1], guarded=False)
    pool, found = Pool(), []
    for _ in answers:
        connection = pool.kept(origin) or await pool.fresh(origin, connect_s=5)
        limits = Limits(first_s=5, silence_s=5, ends_by=time.monotonic() + 5)
        connection.send(REQUEST, b"", stream=False, limits=limits)
        await connection.completed()
        found.append(connection.body())
        connection.finish()
    pool.close()
    server.close()
    return found, connections


def test_a_connection_answers_one_request_after_the_other() -> None:
    answers = [ANSWER % word for word in (b"ab", b"cd", b"ef")]

    assert asyncio.run(exchanges(*answers)) == ([b"ab", b"cd", b"ef"], 1)


@pytest.mark.parametrize(
    "stray",
    [b"HTTP/1.1 2", b"HTTP/1.1 200 OK\r\n\r\n", ANSWER % b"no", b"\0"],
    ids=["a beginning", "a head without fields", "a whole answer", "no HTTP"],
)
def test_what_comes_behind_an_answer_is_no_answer_to_the_next_request(stray: bytes) -> None:
    answers = (ANSWER % b"ab" + stray, ANSWER % b"cd")

    assert asyncio.run(exchanges(*answers)) == ([b"ab", b"cd"], 2)


def test_answers_before_the_real_one_are_passed_over_each_time() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
    answers = [early + ANSWER % word for word in (b"ab", b"cd")]

    assert asyncio.run(exchanges(*answers)) == ([b"ab", b"cd"], 1)
