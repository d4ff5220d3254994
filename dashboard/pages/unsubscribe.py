"""`/unsubscribe/…`: ends the weekly report of whoever has the link, without a login.

Opening the page changes nothing, since mail scanners open links; its button does, and so does a
mail program that posts by itself (RFC 8058), which has no CSRF token. The signed link is the proof.
"""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt

from dashboard import weekly


@csrf_exempt
def unsubscribe(request: HttpRequest, report: str) -> HttpResponse:
    row = weekly.find(report)
    is_done = row is not None and request.method == "POST"
    if row is not None and is_done:
        weekly.unsubscribe(row)
    response = render(request, "site/unsubscribe.html", {"row": row, "is_done": is_done})
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response
