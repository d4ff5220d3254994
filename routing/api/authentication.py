"""Gateway keys as a DRF authentication: `Authorization: Bearer KEY` or `x-api-key: KEY`."""

import time
from typing import Any, NoReturn

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts import addresses, callers
from accounts.callers import Caller
from accounts.errors import InvalidApiKey
from routing.api.requests import LeanRequest


class GatewayKeyAuthentication(BaseAuthentication):
    """Recognises the caller on the event loop; a key that is in memory costs no await."""

    async def recognise(self, request: LeanRequest) -> Caller:
        """Raises InvalidApiKey, or what `callers.admit` refuses."""
        text = _key_of(request)
        if not text:
            raise InvalidApiKey("No gateway key was sent.")
        caller = callers.recognise_cached(text) or await callers.recognise(text)
        if caller.allowed_networks is None:
            address = ""
        else:
            peer = request.scope["client"]
            address = addresses.client_of(peer[0] if peer else "", request.pairs)
        callers.admit(caller, address=address, now_epoch=time.time())
        return caller

    def authenticate(self, request: Request) -> NoReturn:
        raise NotImplementedError("gateway keys are recognised by `recognise`, on the loop")

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class GatewayKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = GatewayKeyAuthentication
    name = "gatewayKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "flo2_live_… or flo2_test_…"}


def _key_of(request: LeanRequest) -> str:
    for name, value in request.pairs:
        if name == b"authorization":
            scheme, _, key = value.partition(b" ")
            if scheme.lower() == b"bearer":
                return key.strip().decode("latin-1")
        elif name == b"x-api-key":
            return value.strip().decode("latin-1")
    return ""
