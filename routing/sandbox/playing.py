"""Plays an answer on a line: its delays, its pieces, and the fault that it is to have."""

from itertools import cycle

from routing.sandbox.answers import Answer, Headers, Kind, Stream, Whole
from routing.sandbox.faults import Effect, Fault
from routing.sandbox.line import Line
from routing.sandbox.profile import Profile
from routing.sandbox.records import Records, Tally

CHUNK_SECONDS = 0.001
WHOLE_SECONDS_PER_TOKEN = 0.00025

_GARBAGE = {
    True: b"data: {this is not an event\n\n\x00\xff\xfe sandbox\n\n",
    False: b'{"sandbox": "this is no answer\x00\xff\xfe',
}


class Player:
    """Plays one answer. `tally` and `records` are told what it produces."""

    def __init__(
        self, line: Line, profile: Profile, fault: Fault, *, tally: Tally, records: Records
    ) -> None:
        self._line, self._profile, self._fault = line, profile, fault
        self._tally, self._records = tally, records
        self._is_billed = False

    async def play(self, answer: Answer, headers: Headers) -> None:
        """Raises Left when the client goes away meanwhile."""
        effect = self._fault.effect
        if effect is Effect.RESET:
            await self._line.reset()
            return
        if effect is Effect.SLOW:
            await self._line.pause(self._fault.number / 1000)
        if answer.spent:
            self._tally.model = answer.spent.model
            self._tally.input_tokens = answer.spent.input_tokens
        fields = (("content-type", answer.media), *headers, *answer.headers)
        if effect is Effect.GARBAGE:
            await self._garbage(answer, fields)
        elif isinstance(answer, Stream):
            await self._stream(answer, (*fields, ("cache-control", "no-cache")))
        else:
            await self._whole(answer, fields)

    async def _garbage(self, answer: Answer, headers: Headers) -> None:
        body = _GARBAGE[isinstance(answer, Stream)]
        await self._line.head(200, (*headers, ("content-length", str(len(body)))))
        await self._line.end(body)

    async def _whole(self, answer: Whole, headers: Headers) -> None:
        line, body, effect = self._line, answer.body, self._fault.effect
        if answer.spent:
            thinking = self._profile.first_token_ms / 1000
            await line.pause(thinking + answer.spent.output_tokens * WHOLE_SECONDS_PER_TOKEN)
        length = () if answer.status == 204 else (("content-length", str(len(body))),)
        await line.head(answer.status, (*headers, *length))
        if effect is Effect.STALL:
            await line.until_left()
        if answer.spent:
            self._produced(answer.spent.output_tokens)
        if effect is Effect.CUT:
            await line.write(body[: len(body) // 2])
            await line.hang_up()
            return
        self._tally.finished = True
        await line.end(body)

    async def _stream(self, answer: Stream, headers: Headers) -> None:
        pieces = _Pieces(self._line, self._profile, headers)
        contents = 0
        for frame in answer.frames:
            if self._stalls_at(frame.kind):
                await pieces.flush()
                await self._line.until_left()
            if self._cuts_at(frame.kind, contents):
                await pieces.flush()
                await self._line.hang_up()
                return
            contents += frame.kind is Kind.CONTENT
            await pieces.until_first_token(frame.data)
            if frame.tokens and self._fault.effect is not Effect.STALL:
                self._produced(frame.tokens)
            await pieces.add(frame.data)
        await pieces.flush()
        self._tally.finished = True
        self._bill()
        await self._line.end()

    def _stalls_at(self, kind: Kind) -> bool:
        return self._fault.effect is Effect.STALL and kind is not Kind.OPENING

    def _cuts_at(self, kind: Kind, contents: int) -> bool:
        if self._fault.effect is not Effect.CUT or kind is Kind.OPENING:
            return False
        return kind is Kind.CLOSING or contents >= self._fault.number

    def _produced(self, tokens: int) -> None:
        """Tokens are made, and therefore billed, before their bytes leave."""
        self._tally.output_tokens += tokens
        self._bill()

    def _bill(self) -> None:
        if not self._is_billed:
            self._is_billed = True
            self._records.bill(self._tally)


class _Pieces:
    """Writes frames as the provider does: one by one, several at once, or cut anywhere."""

    def __init__(self, line: Line, profile: Profile, headers: Headers) -> None:
        self._line, self._profile, self._headers = line, profile, headers
        self._sizes = cycle(profile.writes) if profile.writes else None
        self._waiting = b""
        self._count = 0
        self._has_waited = False

    async def until_first_token(self, data: bytes) -> None:
        """Let the model begin. Comments come before that, and everything else after it."""
        if not self._has_waited and not data.startswith(b":"):
            await self.flush()
            self._has_waited = True
            await self._line.pause(self._profile.first_token_ms / 1000)

    async def add(self, data: bytes) -> None:
        self._waiting += data
        self._count += 1
        if self._count >= self._profile.joins:
            await self.flush()
            await self._line.pause(CHUNK_SECONDS)

    async def flush(self) -> None:
        if not self._line.has_begun and (self._waiting or self._has_waited):
            await self._line.head(200, self._headers)
        while self._waiting:
            size = next(self._sizes) if self._sizes else len(self._waiting)
            piece, self._waiting = self._waiting[:size], self._waiting[size:]
            await self._line.write(piece)
        self._count = 0
