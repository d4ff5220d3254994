"""`POST /v1/feedback`: what the caller's users think of an answer."""

import asyncio
from datetime import UTC, datetime

from asgiref.sync import sync_to_async
from django.db import DatabaseError, close_old_connections
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema

from accounts.callers import Caller
from accounts.errors import NotFound, Unavailable
from accounts.tenancy import tenant_scope
from routing import feedback, runtime
from routing.api import responses
from routing.api.account import POLL_SECONDS, WAIT_SECONDS
from routing.api.async_view import GatewayView
from routing.api.requests import LeanRequest
from routing.api.responses import RawResponse
from routing.feedback import Word
from routing.models import Feedback as Row
from routing.wire import bodies


class Feedback(GatewayView):
    @extend_schema(
        summary="Score an answer from -1 to 1; the newest word on a call counts",
        request=OpenApiTypes.OBJECT,
        responses={200: OpenApiTypes.OBJECT},
        tags=["gateway"],
    )
    async def post(self, request: LeanRequest, caller: Caller) -> RawResponse:
        word = feedback.read(bodies.read(request.body))
        loop = asyncio.get_running_loop()
        give_up = loop.time() + WAIT_SECONDS
        while True:  # a call that has just ended may not be in the database yet
            row = await sync_to_async(_save, thread_sensitive=False)(caller, word)
            if row is not None or loop.time() > give_up:
                break
            runtime.current().ledger.shipper.nudge()
            await asyncio.sleep(POLL_SECONDS)
        if row is None:
            raise NotFound(kind="answered call")
        return responses.of_json({"data": feedback.as_json(row)}, request.call)


def _save(caller: Caller, word: Word) -> Row | None:
    """Raises NotFound, Unavailable."""
    try:
        with tenant_scope(caller.tenant_id):
            return feedback.save(caller, word, now=datetime.now(UTC))
    except DatabaseError:
        raise Unavailable("The gateway cannot keep feedback at the moment.") from None
    finally:
        close_old_connections()
