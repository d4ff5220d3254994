"""Bodies that never come, or come too slowly: nobody waits for ever."""

import asyncio

import pytest

from gateway_project import limits
from gateway_project.limits import Message, Receive, RequestTimeout


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_SECONDS", 0.05)


def client(*messages: Message) -> Receive:
    """One that sends these messages, and then nothing any more."""
    waiting = list(messages)

    async def receive() -> Message:
        if waiting:
            return waiting.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    return receive


def piece(body: bytes, *, more: bool) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


SILENT = pytest.mark.parametrize(
    "sent", [[], [piece(b"{", more=True)]], ids=["never begun", "broken off"]
)


@SILENT
def test_the_api_gives_up_a_body_that_does_not_come(sent: list[Message]) -> None:
    with pytest.raises(RequestTimeout):
        asyncio.run(limits.read_body({"headers": []}, client(*sent), 1000))


@SILENT
def test_pages_take_a_body_that_does_not_come_for_a_client_that_left(sent: list[Message]) -> None:
    async def last() -> Message:
        receive = limits.counted(client(*sent))
        for _ in sent:
            await receive()
        return await receive()

    assert asyncio.run(last()) == {"type": "http.disconnect"}


def test_after_the_body_a_page_may_take_its_time() -> None:
    async def still_waiting() -> bool:
        receive = limits.counted(client(piece(b"a=1", more=False)))
        await receive()
        end = asyncio.ensure_future(receive())
        done, _ = await asyncio.wait({end}, timeout=4 * limits.BODY_SECONDS)
        end.cancel()
        return not done

    assert asyncio.run(still_waiting())


def test_a_body_in_pieces_is_read_whole() -> None:
    sent = [piece(b'{"a"', more=True), piece(b":1}", more=False)]

    assert asyncio.run(limits.read_body({"headers": []}, client(*sent), 1000)) == b'{"a":1}'
