"""The application: finds the provider behind a path, lets it answer, and plays the answer."""

import logging

from routing.sandbox import answering, control
from routing.sandbox.answers import Whole
from routing.sandbox.faults import HEADER, Fault, UnknownFault
from routing.sandbox.incoming import Incoming
from routing.sandbox.line import Left, Line, Receive, Scope, Send, TooLarge
from routing.sandbox.memory import Memory
from routing.sandbox.playing import Player
from routing.sandbox.records import Records, Tally
from routing.sandbox.routes import Routes, Target

log = logging.getLogger("routing.sandbox")


class Sandbox:
    """ASGI. Nothing is recorded unless `records` is on."""

    def __init__(self, routes: Routes, records: Records) -> None:
        self._routes, self._records = routes, records
        self._memory = Memory()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        line = Line(scope, receive, send)
        try:
            await self._serve(line, scope)
        except Left:
            line.close()

    async def _serve(self, line: Line, scope: Scope) -> None:
        raw: bytes | None
        try:
            raw = await line.body()
        except TooLarge:
            raw = None
        if scope["path"].startswith(control.PREFIX):
            await _play(line, control.answer(self._records, scope, raw or b""))
            return
        target = self._routes.find(scope["method"], scope["path"])
        if target is None:
            await _play(line, _plain(404, "no such provider"))
            return
        await self._exchange(line, Incoming.read(scope, raw), target)

    async def _exchange(self, line: Line, incoming: Incoming, target: Target) -> None:
        """One exchange with a provider, on the records from its beginning to its end."""
        slug, records = target.profile.slug, self._records
        tally = Tally(incoming.id, slug)
        status = 0
        records.began(incoming, slug)
        try:
            fault = Fault.read(incoming.headers.get(HEADER, "") or records.fault_of(slug))
            found, headers = answering.answer(incoming, target, fault, self._memory)
            status = found.status if isinstance(found, Whole) else 200
            player = Player(line, target.profile, fault, tally=tally, records=records)
            await player.play(found, headers)
        except UnknownFault as error:
            await _play(line, _plain(400, str(error)))
        except Left:
            records.left(incoming.id, slug, (line.gone_at - line.began_at) * 1000)
            raise
        finally:
            records.ended(incoming.id)
            log.info("exchange ended", extra={"tally": tally, "status": status})


async def _play(line: Line, answer: Whole) -> None:
    length = () if answer.status == 204 else (("content-length", str(len(answer.body))),)
    await line.head(answer.status, (("content-type", answer.media), *length))
    await line.end(answer.body)


def _plain(status: int, text: str) -> Whole:
    return Whole(status=status, body=f"{text}\n".encode(), media="text/plain")
