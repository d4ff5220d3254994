"""The client beside the hot path: whole answers, and ends to those that never end."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from accounts.secret import Secret
from routing.providers import loader
from routing.upstream import client, endpoints
from routing.upstream.client import CannotReach, Fetched

PROVIDER = loader.load_all()["groq"]
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n"


@asynccontextmanager
async def answering(parts: list[bytes], *, drips: bool = False) -> AsyncIterator[str]:
    """A provider that writes these parts, and then perhaps a byte now and then for ever."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            for part in parts:
                writer.write(part)
                await writer.drain()
            while drips:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/v1"


async def asked(parts: list[bytes], *, drips: bool = False) -> Fetched:
    async with answering(parts, drips=drips) as url:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FLO2_PROVIDER_GROQ_BASE_URL", url)
            endpoint = endpoints.live(PROVIDER)
            fetching = client.ask(PROVIDER, endpoint, "/models", Secret("good-key-0123456789"))
            return await asyncio.wait_for(fetching, 8)


def test_an_answer_in_parts_is_put_together() -> None:
    fetched = asyncio.run(asked([HEAD, b'{"data"', b": []}"]))
    assert (fetched.status, fetched.body) == (200, b'{"data": []}')


def test_an_answer_larger_than_8_mb_is_given_up() -> None:
    with pytest.raises(CannotReach, match="8 MB"):
        asyncio.run(asked([HEAD, *[b"x" * 2**20] * 9]))


@pytest.mark.parametrize("parts", [[HEAD], [HEAD, b"{"], [b"HTTP/1.1 200 OK\r\nx-slow: "]])
def test_a_provider_that_drips_is_given_up(
    monkeypatch: pytest.MonkeyPatch, parts: list[bytes]
) -> None:
    monkeypatch.setattr(client, "WHOLE_SECONDS", 0.3)
    began = time.monotonic()

    with pytest.raises(CannotReach, match="Groq cannot be reached: TimeoutError"):
        asyncio.run(asked(parts, drips=True))

    assert time.monotonic() - began < 5
