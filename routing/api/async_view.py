"""DRF on the event loop, without thread hops: authentication, methods, errors and schema are DRF's.

Stock DRF leaves reference cycles behind each request and negotiates content that is always JSON;
here stateless parts are shared and the cycles are broken.
"""

import logging
from functools import update_wrapper
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.callers import Caller
from accounts.errors import GatewayError, InvalidRequest
from routing.api import responses
from routing.api.authentication import GatewayKeyAuthentication
from routing.api.requests import LeanRequest
from routing.api.responses import RawResponse

log = logging.getLogger(__name__)

_AUTHENTICATION = GatewayKeyAuthentication()
_NEGOTIATION = DefaultContentNegotiation()


class InternalError(GatewayError):
    """Something of ours is broken; the log knows what."""

    message = "The gateway failed to handle this request."
    advice = "Try again; if it persists, tell the operator the call id."
    retry = True


class WrongMethod(InvalidRequest):
    status = 405
    code = "method_not_allowed"


class GatewayView(APIView):
    """Base of the `/v1` views: methods take the request and its caller and return a response."""

    authentication_classes = [GatewayKeyAuthentication]
    view_is_async = True

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """A view of the stock one's name and marks, without the layers that it calls through."""

        async def view(request: LeanRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            return await cls(**initkwargs).dispatch(request, *args, **kwargs)

        return update_wrapper(view, super().as_view(**initkwargs))

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        return Request(request, authenticators=(_AUTHENTICATION,), negotiator=_NEGOTIATION)

    async def dispatch(  # type: ignore[override]
        self, request: LeanRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        wrapped = self.request = self.initialize_request(request)
        try:
            caller: Caller = await _AUTHENTICATION.recognise(request)
            wrapped.auth = caller
            handler = getattr(self, (request.method or "").lower(), _wrong_method)
            response: RawResponse = await handler(request, caller, *args, **kwargs)
        except Exception as error:  # noqa: BLE001  the outermost edge
            response = self.handle_exception(error)
        finally:
            wrapped.parser_context = None  # type: ignore[assignment]  # the cycle
            del self.request
        return response

    def handle_exception(self, exc: Exception) -> RawResponse:  # type: ignore[override]
        request: LeanRequest = self.request._request  # type: ignore[assignment]  # noqa: SLF001
        return of_exception(exc, request)


async def _wrong_method(request: LeanRequest, *_: Any, **__: Any) -> RawResponse:
    raise WrongMethod(f"{request.path} does not take {request.method}.")


def of_exception(exc: Exception, request: LeanRequest) -> RawResponse:
    """Whatever was raised, as an error of the API; what is not ours is logged."""
    if isinstance(exc, GatewayError):
        return responses.of_error(exc, request.call, dialect=request.dialect)
    log.error("unhandled error in the API", exc_info=exc, extra={"call": request.call})
    return responses.of_error(InternalError(), request.call, dialect=request.dialect)
