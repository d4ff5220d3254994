"""`POST /v1/embeddings`: OpenAI's dialect."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema

from accounts.callers import Caller
from routing import idempotency
from routing.api import responses
from routing.api.async_view import GatewayView
from routing.api.requests import LeanRequest
from routing.api.responses import RawResponse
from routing.opening import Asked
from routing.wire.embeddings import request as wire


class Embeddings(GatewayView):
    @extend_schema(
        summary="Embeddings, as floats or base64",
        request=OpenApiTypes.OBJECT,
        responses={200: OpenApiTypes.OBJECT},
        tags=["gateway"],
    )
    async def post(self, request: LeanRequest, caller: Caller) -> RawResponse:
        asked = Asked(
            call=request.call,
            body_id=f"embd-{request.call}",
            caller=caller,
            endpoint="embeddings",
            headers=request.pairs,
            chat=wire.read(request.body),
            made_ms=request.made_ms,
            began=request.began,
        )
        answer, call = await idempotency.answer(asked)
        return responses.of_answer(answer, call, dialect="openai")
