"""The lean door: `/v1` without sessions, templates, signals or thread hops.

A path is looked up in a table made of `routing.api.urls`, a DRF view answers, and its bytes are
sent as they are. When the client goes away, the view's task is cancelled.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from django.http import Http404
from django.urls import URLResolver
from django.urls.resolvers import RegexPattern
from django.utils.functional import cached_property

from accounts import ids
from accounts.errors import GatewayError, NotFound
from gateway_project import limits
from gateway_project.answering import Answering
from routing.api import responses
from routing.api import urls as api_urls
from routing.api.authentication import GatewayKeyAuthentication
from routing.api.requests import LeanRequest, dialect_of
from routing.api.responses import RawResponse

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
View = Callable[..., Awaitable[RawResponse]]

PREFIX = "/v1/"
MANAGEMENT = "/api/"  # has a path or two that end like one of ours
# What clients ask for when their base URL lacks /v1, or has it twice.
_ENDPOINTS = ("/chat/completions", "/messages", "/responses", "/embeddings", "/models")


_AUTHENTICATION = GatewayKeyAuthentication()


class WrongPath(NotFound):
    message = "There is nothing at {path}."
    advice = (
        "OpenAI clients use the base URL {base}/v1, Anthropic's SDKs {base}; the API is described"
        " at {base}/docs/."
    )


class LeanDoor:
    def takes(self, path: str) -> bool:
        if path.startswith(PREFIX):
            return True
        return path.endswith(_ENDPOINTS) and not path.startswith(MANAGEMENT)

    async def __call__(self, scope: Scope, receive: Receive) -> None:
        """Answer a request through the way that the server's protocol put into the scope."""
        answering: Answering = scope[limits.ANSWERING]
        answering.ends_with_client = True
        try:
            await self._serve(scope, receive, answering)
        except asyncio.CancelledError:
            if not answering.is_gone:
                raise  # the process stops, and not the client left
        finally:
            answering.ends_with_client = False

    async def _serve(self, scope: Scope, receive: Receive, answering: Answering) -> None:
        request: LeanRequest | None = None
        made, began = ids.fresh(), time.monotonic()
        call = ids.encode(made)
        try:
            limits.check_head(scope)
            body = answering.take_body()
            if body is None:
                asking = LeanRequest(dict(scope), b"", call=call, made=made, began=began)
                await _AUTHENTICATION.recognise(asking)  # nobody waits for a stranger's body
                body = await limits.read_body(scope, receive, limits.API_BODY_BYTES)
            request = LeanRequest(dict(scope), body, call=call, made=made, began=began)
            response = await self._answer(request)
        except GatewayError as error:
            dialect = dialect_of(scope["path"], scope["headers"])
            response = responses.of_error(error, call, dialect=dialect)
            if request is None:  # the body was not read to its end
                response.pairs.append((b"connection", b"close"))
        if response.pour is None:
            if answering.is_full:  # of an answer before, that the client has not taken yet
                await answering.drained()
            answering.whole(response.status_code, response.pairs, response.body)
        else:
            answering.begin(response.status_code, response.pairs)
            await response.pour(answering)
            answering.end()

    async def _answer(self, request: LeanRequest) -> RawResponse:
        view = self._table.get(request.path)
        if view is not None:
            return await view(request)
        try:
            match = self._resolver.resolve(request.path)
        except Http404:
            host = request.header(b"host")
            base = f"{request.scope.get('scheme', 'http')}://{host}"
            raise WrongPath(path=request.path, base=base) from None
        found: View = match.func
        return await found(request, **match.kwargs)

    @cached_property
    def _table(self) -> dict[str, View]:
        """The paths without a parameter, each with its view."""
        return {
            f"/{pattern.pattern}": pattern.callback
            for pattern in api_urls.urlpatterns
            if not pattern.pattern.converters
        }

    @cached_property
    def _resolver(self) -> URLResolver:
        return URLResolver(RegexPattern(r"^/"), api_urls)
