"""Answers of the gateway API as the lean door sends them: status, header pairs, bytes or pieces."""

from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

import msgspec
from django.http import HttpResponseBase

from accounts.errors import GatewayError
from billing import money
from billing.facts import CallSettled
from routing import dialects
from routing.gateway import FailedAnswer, StreamedAnswer, Told, WholeAnswer
from routing.relaying import Outlet

Pairs = list[tuple[bytes, bytes]]
Pour = Callable[[Outlet], Awaitable[None]]

JSON = (b"content-type", b"application/json")
_STREAM: Pairs = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]
_FINAL = (b"x-should-retry", b"false")
_NOT_CHOSEN = Told()


class RawResponse(HttpResponseBase):
    """An answer that is sent as it stands. Made without Django's header machinery."""

    streaming = False

    def __init__(  # the base class would build what is never read
        self, status: int, pairs: Pairs, body: bytes = b"", pour: Pour | None = None
    ) -> None:
        self.status_code = status
        self.pairs, self.body, self.pour = pairs, body, pour


def of_answer(
    answer: WholeAnswer | StreamedAnswer | FailedAnswer, call: str, *, dialect: str
) -> RawResponse:
    if isinstance(answer, WholeAnswer):
        pairs = [JSON, *_told(answer.told, call)]
        pairs.append((b"content-length", b"%d" % len(answer.body)))
        return RawResponse(200, pairs, answer.body)
    if isinstance(answer, StreamedAnswer):
        return RawResponse(200, [*_STREAM, *_told(answer.told, call)], pour=answer.pour)
    return of_error(answer.error, call, answer.told, dialect=dialect)


def of_error(
    error: GatewayError, call: str, told: Told = _NOT_CHOSEN, *, dialect: str
) -> RawResponse:
    """An error in the caller's dialect, with the headers that every answer has."""
    body = dialects.write_error(dialect, error, call_id=f"call_{call}")
    pairs = [JSON, *_told(told, call)]
    if not error.retry:
        pairs.append(_FINAL)
    for name, value in error.headers.items():
        pairs.append((name.encode(), value.encode()))
    pairs.append((b"content-length", b"%d" % len(body)))
    return RawResponse(error.http_status, pairs, body)


def of_json(content: Any, call: str, status: int = 200, *, told: Told = _NOT_CHOSEN) -> RawResponse:
    body = msgspec.json.encode(content)
    pairs = [JSON, *_told(told, call), (b"content-length", b"%d" % len(body))]
    return RawResponse(status, pairs, body)


def _told(told: Told, call: str) -> Pairs:
    call_id = b"call_%b" % call.encode()
    pairs = [
        (b"x-flo2-call-id", call_id),
        (b"x-request-id", call_id),
        (b"request-id", call_id),
        *_chosen(told.provider, told.model, told.strategy, told.reason, told.cache),
        (b"x-flo2-attempts", b"%d" % told.attempts),
        (b"x-flo2-overhead-ms", b"%.3f" % (told.overhead_s * 1000)),
    ]
    if told.settled:
        pairs += _cost(told.settled)
    if told.rates:
        named = told.rates.headers().items()
        pairs += [(name.encode(), value.encode()) for name, value in named]
    if told.adapted:
        pairs.append((b"x-flo2-adapted-params", ",".join(told.adapted).encode("ascii", "replace")))
    return pairs


@lru_cache(maxsize=1024)
def _chosen(provider: str, model: str, strategy: str, reason: str, cache: str) -> Pairs:
    """Who answered and why: the same for many calls."""
    return [
        (b"x-flo2-provider", provider.encode()),
        (b"x-flo2-model", model.encode("ascii", "replace")),
        (b"x-flo2-strategy", strategy.encode()),
        (b"x-flo2-reason", reason.encode()),
        (b"x-flo2-cache", cache.encode()),
    ]


def _cost(settled: CallSettled) -> Pairs:
    status = (b"x-flo2-cost-status", settled.cost_status.encode())
    if settled.cost is None:
        return [status]
    return [(b"x-flo2-cost-usd", money.plain(settled.cost).encode()), status]
