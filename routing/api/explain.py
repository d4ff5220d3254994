"""`POST /v1/route/explain`: the plan of a call, without making it."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema

from accounts.callers import Caller
from accounts.errors import InvalidRequest
from routing import opening, options, runtime
from routing.api import responses
from routing.api.async_view import GatewayView
from routing.api.chat import ChatView
from routing.api.requests import LeanRequest
from routing.api.responses import RawResponse
from routing.opening import Asked
from routing.plan import explain
from routing.wire import bodies


class Explain(GatewayView):
    @extend_schema(
        summary="Who would answer this request, in which order, and why not the others",
        request=OpenApiTypes.OBJECT,
        responses={200: OpenApiTypes.OBJECT},
        tags=["gateway"],
    )
    async def post(self, request: LeanRequest, caller: Caller) -> RawResponse:
        view = _reader(request)
        chat = view.read(request)
        wishes = options.read(request.pairs, chat.body)
        its, plan = await opening.planned(caller, chat, wishes, unit=request.call)
        asked = Asked(
            call=request.call,
            body_id="",
            caller=caller,
            endpoint=view.endpoint,
            headers=request.pairs,
            chat=chat,
            made_ms=request.made_ms,
            began=request.began,
        )
        cache = await runtime.current().cache.explained(opening.wanted(asked, wishes, plan))
        return responses.of_json(explain.explained(plan, its, cache), request.call)


def _reader(request: LeanRequest) -> ChatView:
    """The view of the dialect that the body is written in."""
    views = {view.dialect: view for view in ChatView.__subclasses__()}
    dialect = _dialect(bodies.read(request.body), request)
    if dialect not in views:
        raise InvalidRequest(f"Bodies of this dialect ({dialect}) are not read here.")
    return views[dialect]()


def _dialect(body: dict[str, Any], request: LeanRequest) -> str:
    """Responses bodies have `input`, Anthropic's clients name their version."""
    if "messages" not in body and "input" in body:
        return "responses"
    return "anthropic" if request.header(b"anthropic-version") else "openai"
