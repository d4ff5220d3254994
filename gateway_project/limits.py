"""Limits in front of every door: heads, bodies, times, framing and the Host.

`GuardedProtocol` adds them to the server's own HTTP protocol, which has none; the functions serve
the doors.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from typing import Any, NoReturn

import httptools
import msgspec
from django.conf import settings
from django.core.signals import setting_changed
from django.dispatch import receiver
from django.http.request import split_domain_port, validate_host
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from accounts.errors import GatewayError, InvalidRequest
from gateway_project.answering import Answering
from routing.errors import PayloadTooLarge, UnsupportedEncoding

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]

API_BODY_BYTES = 20_000_000
PAGE_BODY_BYTES = 1_000_000
HEAD_BYTES, HEAD_FIELDS = 32 * 1024, 100
HEAD_SECONDS = 10.0
BODY_SECONDS = 60.0
BODY_BYTES_PER_SECOND = 1024  # a body that comes slower than this is given up
READER_SECONDS = 60.0  # a client that takes nothing for so long is cut
MOST_PIPELINED = 100  # requests that wait behind another one on its connection
LAST_CALL_SECONDS = 0.5  # for what is on its way on an idle connection while the process stops

# Doors that probes ask by address.
HOSTLESS = frozenset({"/healthz", "/readyz"})


ANSWERING = "flo2.answering"  # where the scope holds the way to the client's connection


class HeadersTooLarge(GatewayError):
    status = 431
    code = "headers_too_large"
    message = "The headers are larger than 32 KB or more than 100."


class RequestTimeout(GatewayError):
    status = 408
    code = "request_timeout"
    message = "The request came too slowly."
    retry = True


class BadFraming(InvalidRequest):
    """The bytes are not one clear HTTP request."""


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with limits, and with a word to the door when the client is gone.

    While the process drains, each answer is the last one on its connection: an idle connection
    cannot be closed without cutting a request that is on its way.
    """

    is_draining = False
    _head_bytes = 0
    _head_fields = 0
    _head_is_open = False
    _head_timer: asyncio.TimerHandle | None = None
    _reader_timer: asyncio.TimerHandle | None = None
    _idle_timer: asyncio.TimerHandle | None = None
    _idle_since = 0.0
    _answering: Answering | None = None
    _problem: GatewayError | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._begin_idling()

    def data_received(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
            if self._head_is_open and self._head_timer is None:
                self._head_timer = self.loop.call_later(HEAD_SECONDS, self._head_too_slow)
        except httptools.HttpParserUpgrade as upgrade:
            if self._should_upgrade():
                self._stop_head_timer()
                self._stop_idle_timer()
                self.handle_websocket_upgrade()
            elif self.scope["method"] == "CONNECT":
                self._refuse(BadFraming("This is no proxy."))
            else:
                self._go_on_without_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(self._problem or BadFraming("This is not a valid HTTP request."))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = self._head_fields = 0
        self._head_is_open = True

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._head_bytes += len(url)
        if self._head_bytes > HEAD_BYTES:
            self._refuse_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_fields += 1
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > HEAD_BYTES or self._head_fields > HEAD_FIELDS:
            self._refuse_head()
        if not self._head_is_open:  # a trailer: it must not pass for a header (RFC 9110, 6.5.1)
            return
        name = name.lower()  # from here on as the base class does
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._head_is_open = False
        self._stop_head_timer()
        if self.parser.should_upgrade() and not self._should_upgrade():
            self.scope["method"] = self.parser.get_method().decode("ascii")
            return
        super().on_headers_complete()
        if len(self.pipeline) > MOST_PIPELINED:
            self._problem = BadFraming("Too many requests at once on one connection.")
            raise self._problem
        if self.is_draining and self.cycle is not None and self.cycle.scope is self.scope:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def _go_on_without_upgrade(self, rest: bytes) -> None:
        """Read a request again without its wish for another protocol, which may be passed over.

        Java's own HTTP client wishes for HTTP/2 on every plain connection (RFC 9110, 7.8).
        """
        kept = [pair for pair in self.headers if pair[0] not in _UPGRADING]
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        lines += [b"%b: %b" % pair for pair in kept]
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(b"\r\n".join(lines) + b"\r\n\r\n" + rest)

    def handle_websocket_upgrade(self) -> None:
        """As the base class does, which leaves a handshake that it cannot read open for good."""
        super().handle_websocket_upgrade()
        protocol: Any = self.transport.get_protocol()
        if protocol.conn.handshake_exc is not None:
            self._refuse(BadFraming("A WebSocket begins with lines of up to 8 KB and no body."))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """As the base class does; requests of a pipeline begin one after the other."""
        answering = self._answering = Answering(cycle)
        cycle.scope[ANSWERING] = answering  # type: ignore[literal-required]
        answering.task = task = self.loop.create_task(cycle.run_asgi(app))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_head_timer()
        self._stop_idle_timer()
        self.resume_writing()
        super().connection_lost(exc)
        if self._answering is not None:
            self._answering.leave()
        self._answering = None

    def shutdown(self) -> None:
        if self._is_idle():
            self.is_draining = True
            self._stop_idle_timer()
            self._begin_idling()
        else:
            super().shutdown()

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def on_response_complete(self) -> None:
        self._answering = None
        if self.pipeline or self.transport.is_closing():
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self._begin_idling()

    def _begin_idling(self) -> None:
        """One timer of a connection, and not one for each request as in the base class."""
        self._idle_since = self.loop.time()
        if self._idle_timer is None:
            self._idle_timer = self.loop.call_later(self._patience, self._end_idling)

    @property
    def _patience(self) -> float:
        return LAST_CALL_SECONDS if self.is_draining else self.timeout_keep_alive

    def _end_idling(self) -> None:
        left = self._idle_since + self._patience - self.loop.time()
        if self._head_is_open or not self._is_idle():
            left = self._patience
        if left > 0:
            self._idle_timer = self.loop.call_later(left, self._end_idling)
        else:
            self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._reader_timer = self.loop.call_later(READER_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        if self._reader_timer:
            self._reader_timer.cancel()
            self._reader_timer = None
        if self.flow is not None:
            super().resume_writing()

    def _refuse_head(self) -> NoReturn:
        self._problem = HeadersTooLarge()
        raise self._problem

    def _head_too_slow(self) -> None:
        self._refuse(RequestTimeout())

    def _stop_head_timer(self) -> None:
        if self._head_timer:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_idle_timer(self) -> None:
        if self._idle_timer:
            self._idle_timer.cancel()
            self._idle_timer = None

    def _refuse(self, error: GatewayError) -> None:
        """Answer in JSON and close: there is no request that a door could answer."""
        self._stop_head_timer()
        if self.transport.is_closing():
            return
        shown = {"message": str(error), "type": "invalid_request_error", "code": error.error_code}
        body = msgspec.json.encode({"error": {**shown, "param": None, "source": "gateway"}})
        self.transport.write(
            b"HTTP/1.1 %d %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\n"
            b"connection: close\r\n\r\n%b"
            % (error.status, _PHRASES.get(error.status, b"Bad Request"), len(body), body)
        )
        self.transport.close()


_UPGRADING = frozenset({b"connection", b"upgrade", b"http2-settings"})
_PHRASES = {408: b"Request Timeout", 431: b"Request Header Fields Too Large"}


def check_head(scope: Scope) -> None:
    """Refuse a foreign Host and an encoded body. Raises GatewayError."""
    host = b""
    for name, value in scope["headers"]:
        if name == b"host":
            if host:
                raise InvalidRequest("The request names two hosts.")
            host = value
        elif name == b"content-encoding" and value.lower() != b"identity":
            raise UnsupportedEncoding
    if not _is_ours(host) and scope["path"] not in HOSTLESS:
        raise InvalidRequest("This gateway does not answer for that Host; see ALLOWED_HOSTS.")


async def read_body(scope: Scope, receive: Receive, most: int) -> bytes:
    """The body, at most so many bytes, declared or counted. Raises GatewayError."""
    for name, value in scope["headers"]:
        if name == b"content-length" and (not value.isdigit() or int(value) > most):
            raise PayloadTooLarge(limit=most // 1_000_000)
    try:
        async with asyncio.timeout(BODY_SECONDS) as patience:
            message = await receive()
            body: bytes = message.get("body", b"")
            parts, size = [body], len(body)
            while message.get("more_body"):
                message = await receive()
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > most:
                    raise PayloadTooLarge(limit=most // 1_000_000)
                due = patience.when()
                if due is not None:
                    patience.reschedule(due + len(parts[-1]) / BODY_BYTES_PER_SECOND)
    except TimeoutError:
        raise RequestTimeout from None
    return body if len(parts) == 1 else b"".join(parts)


@lru_cache(maxsize=256)
def _is_ours(host: bytes) -> bool:
    domain, _ = split_domain_port(host.decode("latin-1"))
    allowed = settings.ALLOWED_HOSTS or ("localhost", "127.0.0.1", "[::1]")
    return bool(domain) and validate_host(domain, allowed)


@receiver(setting_changed)
def _forget_hosts(**_: object) -> None:
    _is_ours.cache_clear()


def counted(receive: Receive) -> Receive:
    """A `receive` for the pages: a body that is too long or too slow is as good as a client gone.

    Django would spool it to disk before a view runs. A declared length is refused by Django itself
    (DATA_UPLOAD_MAX_MEMORY_SIZE).
    """
    left, ends_at, is_whole = PAGE_BODY_BYTES, 0.0, False

    async def receive_counted() -> Message:
        nonlocal left, ends_at, is_whole
        if is_whole:  # what comes now is the end of the connection, whenever it comes
            return await receive()
        now = asyncio.get_running_loop().time()
        ends_at = ends_at or now + BODY_SECONDS
        try:
            async with asyncio.timeout_at(ends_at):
                message = await receive()
        except TimeoutError:
            return {"type": "http.disconnect"}
        size = len(message.get("body", b""))
        left, ends_at = left - size, ends_at + size / BODY_BYTES_PER_SECOND
        is_whole = not message.get("more_body")
        return {"type": "http.disconnect"} if left < 0 else message

    return receive_counted
