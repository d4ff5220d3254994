"""Refuse addresses that hold a NUL: nothing is called so, and PostgreSQL takes none in a query."""

from collections.abc import Callable

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponseBase, JsonResponse

from accounts.errors import InvalidRequest
from routing.api.manage import view

MANAGEMENT = "/api/v1/"
_MESSAGE = "The address holds a NUL character."


def middleware(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    def answer(request: HttpRequest) -> HttpResponseBase:
        if "\0" not in request.path and "%00" not in request.META.get("QUERY_STRING", ""):
            return get_response(request)
        if request.path.startswith(MANAGEMENT):
            return JsonResponse(view.shape(InvalidRequest(_MESSAGE)), status=400)
        raise BadRequest(_MESSAGE)

    return answer
