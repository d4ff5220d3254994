"""A streamed chat completion."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle, islice

import msgspec

from routing.sandbox.answers import Frame, Kind
from routing.sandbox.dialects.chat.manner import Manner, Where, called
from routing.sandbox.dialects.chat.reply import FINISHES, logprobs
from routing.sandbox.dialects.told import Told
from routing.sandbox.profile import Json
from routing.sandbox.writing.counting import pieces
from routing.sandbox.writing.draft import Call, Choice

DONE = b"data: [DONE]\n\n"
_CALL_PIECES = 3  # tokens of arguments per chunk, where calls come in pieces


def frames(told: Told, manner: Manner) -> Iterator[Frame]:
    """The events in their order, comments included."""
    for comment in manner.comments:
        yield Frame(comment, Kind.OPENING)
    writer = _Writer(told, manner)
    for index, choice in enumerate(told.draft.choices):
        yield from writer.choice(index, choice)
    if manner.usage_apart(told.ask):
        yield writer.usage()
    yield Frame(DONE, Kind.CLOSING)


def grouped(tokens: Sequence[str], sizes: Iterable[int]) -> Iterator[tuple[str, int]]:
    """The text in chunks of so many tokens in turn, and how many each has."""
    left = iter(tokens)
    for size in cycle(sizes):
        group = list(islice(left, size))
        if not group:
            return
        yield "".join(group), len(group)


class _Writer:
    """Writes the chunks of one answer."""

    def __init__(self, told: Told, manner: Manner) -> None:
        self._told, self._manner = told, manner
        self._head: Json = {
            "id": manner.answer_id(told.exchange.id),
            "object": "chat.completion.chunk",
            "created": told.exchange.created,
            "model": told.ask.model,
        }
        self._is_first = True
        self._written = 0

    def choice(self, index: int, choice: Choice) -> Iterator[Frame]:
        """All chunks of one choice."""
        manner = self._manner
        content = manner.content_beside_calls if choice.calls else {"content": ""}
        opening = {"role": "assistant", **content, **manner.delta}
        shown = choice.thoughts if self._told.ask.shows_thoughts and manner.thoughts("") else ""
        hidden = 0 if shown else choice.thought_tokens
        yield self._chunk(index, opening, kind=Kind.OPENING)._replace(tokens=hidden)
        group = self._told.exchange.profile.group
        for text, tokens in grouped(pieces(shown), group):
            yield self._chunk(index, manner.thoughts(text), tokens=tokens)
        for number, (text, tokens) in enumerate(grouped(pieces(choice.text), group)):
            if number == 1 and manner.comment_between:
                yield Frame(manner.comment_between, Kind.OPENING)
            yield self._chunk(index, {"content": text}, tokens=tokens)
        yield from self._end(index, choice)

    def usage(self) -> Frame:
        """The chunk without choices."""
        return self._frame(Where.USAGE, [], Kind.CLOSING)

    def _end(self, index: int, choice: Choice) -> Iterator[Frame]:
        reason = FINISHES[choice.finish]
        calls = list(self._calls(choice.calls))
        if not self._manner.calls_with_finish:
            for fields, tokens in calls:
                yield self._chunk(index, {"tool_calls": [fields]}, tokens=tokens)
            yield self._chunk(index, {}, reason=reason, kind=Kind.CLOSING)
        elif calls:
            delta = {"content": "", "tool_calls": [fields for fields, _ in calls]}
            tokens = sum(tokens for _, tokens in calls)
            yield self._chunk(index, delta, reason=reason, tokens=tokens)
        else:
            yield self._chunk(index, {"content": ""}, reason=reason, kind=Kind.CLOSING)

    def _calls(self, calls: tuple[Call, ...]) -> Iterator[tuple[Json, int]]:
        """Tool calls as they stand in deltas: whole, or a head and pieces of the arguments."""
        for call in calls:
            head = self._manner.call_fields(self._told.exchange.id, call)
            if self._manner.whole_calls:
                yield {"index": call.index, **head, **called(call, call.arguments)}, call.tokens
                continue
            named = call.tokens - len(pieces(call.arguments))
            yield {"index": call.index, **head, **called(call, "")}, named
            for text, tokens in grouped(pieces(call.arguments), (_CALL_PIECES,)):
                yield {"index": call.index, **called(call, text, named=False)}, tokens

    def _chunk(
        self,
        index: int,
        delta: Json,
        *,
        reason: str = "",
        kind: Kind = Kind.CONTENT,
        tokens: int = 0,
    ) -> Frame:
        manner, top = self._manner, self._told.ask.top_logprobs
        ending = manner.finished(reason) if reason else {}
        choice: Json = {"index": index, "delta": delta, **manner.pending, **ending}
        text = delta.get("content")
        if manner.has_logprobs and top is not None and isinstance(text, str) and text:
            choice["logprobs"] = logprobs(pieces(text), top)
        self._written += tokens
        where = Where.FINISH if reason else Where.FIRST if self._is_first else Where.MIDDLE
        self._is_first = False
        return self._frame(where, [choice], kind)._replace(tokens=tokens)

    def _frame(self, where: Where, choices: list[Json], kind: Kind) -> Frame:
        chunk = {**self._head, "choices": choices}
        usage = self._usage(where)
        if usage is not None:
            chunk["usage"] = usage
        elif self._manner.null_usage(self._told.ask):
            chunk["usage"] = None
        chunk |= self._manner.chunk(self._told, where)
        return Frame(b"data: %b\n\n" % msgspec.json.encode(chunk), kind)

    def _usage(self, where: Where) -> Json | None:
        """The usage of a chunk in this place, None if it has none."""
        manner, told = self._manner, self._told
        if where is Where.USAGE or (where is Where.FINISH and manner.usage_in_finish(told.ask)):
            return manner.usage(told)
        if manner.usage_in_all(told.ask):
            return self._usage_so_far()
        return None

    def _usage_so_far(self) -> Json:
        """The final figures, less what is not written yet."""
        usage = self._manner.usage(self._told)
        missing = usage["completion_tokens"] - self._written
        return {
            **usage,
            "completion_tokens": self._written,
            "total_tokens": usage["total_tokens"] - missing,
        }
