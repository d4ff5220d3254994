"""The endpoints that answer a chat, one for each dialect that callers speak."""

from typing import ClassVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema

from accounts.callers import Caller
from routing import dialects, idempotency, token_counts
from routing.api import responses
from routing.api.async_view import GatewayView
from routing.api.requests import LeanRequest
from routing.api.responses import RawResponse
from routing.chat import ChatRequest
from routing.gateway import Told
from routing.opening import Asked
from routing.wire.anthropic import request as anthropic
from routing.wire.openai import request as openai
from routing.wire.responses import request as openai_responses


class ChatView(GatewayView):
    """Read, one call, answer; a dialect brings the reader."""

    dialect: ClassVar[str]
    endpoint: ClassVar[str]  # as the books name it

    @extend_schema(
        summary="An answer of a model, streamed or not, in the dialect of the path",
        request=OpenApiTypes.OBJECT,
        responses={200: OpenApiTypes.OBJECT},
        tags=["gateway"],
    )
    async def post(self, request: LeanRequest, caller: Caller) -> RawResponse:
        asked = Asked(
            call=request.call,
            body_id=dialects.CALLERS[self.dialect].body_prefix + request.call,
            caller=caller,
            endpoint=self.endpoint,
            headers=request.pairs,
            chat=self.read(request),
            made_ms=request.made_ms,
            began=request.began,
        )
        answer, call = await idempotency.answer(asked)
        return responses.of_answer(answer, call, dialect=self.dialect)

    def read(self, request: LeanRequest) -> ChatRequest:
        """Raises InvalidRequest naming the field."""
        raise NotImplementedError


class ChatCompletions(ChatView):
    """OpenAI Chat Completions."""

    dialect, endpoint = "openai", "chat"

    def read(self, request: LeanRequest) -> ChatRequest:
        return openai.read(request.body)


class Messages(ChatView):
    """Anthropic Messages."""

    dialect, endpoint = "anthropic", "messages"

    def read(self, request: LeanRequest) -> ChatRequest:
        return anthropic.read(request.body, request.pairs)


class CountTokens(GatewayView):
    """Anthropic's count of a request's tokens, for every model."""

    @extend_schema(
        summary="Input tokens of a request, exact where the provider counts, else estimated",
        request=OpenApiTypes.OBJECT,
        responses={200: OpenApiTypes.OBJECT},
        tags=["gateway"],
    )
    async def post(self, request: LeanRequest, caller: Caller) -> RawResponse:
        chat = anthropic.read_count(request.body, request.pairs)
        counted = await token_counts.count(chat, caller, request.pairs, call=request.call)
        content = {"input_tokens": counted.input_tokens, "estimated": not counted.is_exact}
        return responses.of_json(content, request.call, told=Told(rates=counted.rates))


class Responses(ChatView):
    """OpenAI Responses, stateless."""

    dialect = endpoint = "responses"

    def read(self, request: LeanRequest) -> ChatRequest:
        return openai_responses.read(request.body, request.pairs)
