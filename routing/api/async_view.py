"""DRF's views on the event loop, without thread hops.

Authentication, methods and schema are declared as DRF knows them. Its own request is not made: it
negotiates content that is always JSON, and leaves a reference cycle behind each call.
"""

import logging
from functools import update_wrapper
from typing import Any

from django.http import HttpResponseBase
from rest_framework.views import APIView

from accounts.callers import Caller
from accounts.errors import GatewayError, InvalidRequest
from routing.api import responses
from routing.api.authentication import GatewayKeyAuthentication
from routing.api.requests import LeanRequest
from routing.api.responses import RawResponse

log = logging.getLogger(__name__)

_AUTHENTICATION = GatewayKeyAuthentication()


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

    async def dispatch(  # type: ignore[override]
        self, request: LeanRequest, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        try:
            caller: Caller = await _AUTHENTICATION.recognise(request)
            handler = getattr(self, _METHODS.get(request.method or "", ""), _wrong_method)
            response: RawResponse = await handler(request, caller, *args, **kwargs)
        except Exception as error:  # noqa: BLE001  the outermost edge
            return of_exception(error, request)
        return response


# What answers; a HEAD is a GET whose body is not sent.
_METHODS = {"GET": "get", "HEAD": "get", "POST": "post"}


async def _wrong_method(request: LeanRequest, *_: Any, **__: Any) -> RawResponse:
    raise WrongMethod(f"{request.path} does not take {request.method}.")


def of_exception(exc: Exception, request: LeanRequest) -> RawResponse:
    """Whatever was raised, as an error of the API; what is not ours is logged."""
    if isinstance(exc, GatewayError):
        return responses.of_error(exc, request.call, dialect=request.dialect)
    log.error("unhandled error in the API", exc_info=exc, extra={"call": request.call})
    return responses.of_error(InternalError(), request.call, dialect=request.dialect)
