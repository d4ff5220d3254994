"""Sessions end: fourteen days after their beginning, and after twelve hours without a request."""

import time
from datetime import timedelta

from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest
from django.utils.deprecation import MiddlewareMixin

IDLE = timedelta(hours=12)
NOTED = timedelta(minutes=5)  # a session's row is not written more often than this
SEEN = "seen_at"  # seconds since 1970


class IdleMiddleware(MiddlewareMixin):
    """Signs out whoever was away for too long. Needs sessions, users and messages."""

    def process_request(self, request: HttpRequest) -> None:
        if not request.user.is_authenticated:
            return
        now = int(time.time())
        away = now - request.session.get(SEEN, now)
        if away > IDLE.total_seconds():
            logout(request)
            messages.info(request, "You were signed out after twelve hours without a request.")
        elif SEEN not in request.session or away > NOTED.total_seconds():
            request.session[SEEN] = now
