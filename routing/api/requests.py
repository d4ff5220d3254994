"""The request as the lean door hands it to DRF: Django's, without the work nobody asked for."""

from functools import cached_property
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpHeaders, QueryDict
from django.utils.datastructures import MultiValueDict

from accounts import ids

Scope = dict[str, Any]
Pairs = list[tuple[bytes, bytes]]


class LeanRequest(ASGIRequest):
    """An ASGIRequest whose META, headers and query are made when they are looked at."""

    def __init__(self, scope: Scope, body: bytes, *, call: str, made: int, began: float) -> None:
        # Not the base class's: its loop over the headers costs as much as a look-up of a key.
        self.scope = scope
        self._body = body
        self._read_started = False
        self._post_parse_error = False
        self.path = self.path_info = scope["path"]
        self.script_name = ""
        self.method = scope["method"]
        self.resolver_match = None
        self.content_type = None
        self.content_params = None
        self.pairs: Pairs = scope["headers"]
        self.call, self.made_ms, self.began = call, ids.made_at(made), began

    @cached_property
    def META(self) -> dict[str, Any]:  # type: ignore[override]  # noqa: N802  Django's name
        from io import BytesIO

        return ASGIRequest(self.scope, BytesIO(self._body)).META

    @cached_property
    def headers(self) -> HttpHeaders:
        return HttpHeaders(self.META)

    @cached_property
    def GET(self) -> QueryDict:  # type: ignore[override]  # noqa: N802
        return QueryDict(self.scope["query_string"])

    @cached_property
    def POST(self) -> QueryDict:  # type: ignore[override]  # noqa: N802
        return QueryDict()

    @cached_property
    def FILES(self) -> MultiValueDict[str, Any]:  # type: ignore[override]  # noqa: N802
        return MultiValueDict()

    @cached_property
    def COOKIES(self) -> dict[str, str]:  # type: ignore[override]  # noqa: N802
        return {}

    @property
    def body(self) -> bytes:
        return self._body

    @property
    def dialect(self) -> str:
        """The dialect that the caller speaks, by where and how he asks."""
        return dialect_of(self.path, self.pairs)

    def header(self, name: bytes) -> str:
        """The first value of a header by its lower-case name, or empty."""
        for key, value in self.pairs:
            if key == name:
                return value.decode("latin-1")
        return ""


def dialect_of(path: str, pairs: Pairs) -> str:
    """Which dialect an answer is to be in. Anthropic's clients say so where a path is shared."""
    known = _DIALECTS.get(path)
    if known is None and path.startswith("/v1/models"):
        known = "anthropic" if any(name == b"anthropic-version" for name, _ in pairs) else None
    return known or "openai"


_DIALECTS = {
    "/v1/messages": "anthropic",
    "/v1/messages/count_tokens": "anthropic",
    "/v1/responses": "responses",
}
