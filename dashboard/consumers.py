"""The live feed: new calls, as rows of the table that a page already shows."""

import asyncio
import logging
import time
from http.cookies import CookieError
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.db import SessionStore
from django.http import HttpRequest, QueryDict
from django.http.cookie import parse_cookie
from django.template.loader import render_to_string
from django.utils import timezone

from accounts import impersonation, members
from accounts.impersonation import SESSION_KEY
from accounts.models import Membership, User
from accounts.models.gateway_key import Mode
from accounts.roles import Right, has_right
from accounts.tenancy import tenant_scope
from billing import call_search, feed, records
from billing.feed import CallsBooked
from dashboard import impersonating
from dashboard.forms.calls import of_tenant

log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.3  # between two updates of a page
CHECK_SECONDS = 30.0  # that long somebody who was removed may still see calls
NOT_ALLOWED, AWAY = 4403, 1011
ROWS = {"calls": "dashboard/_call_rows.html", "overview": "dashboard/_call_rows_short.html"}


class LiveCalls(AsyncJsonWebsocketConsumer):  # type: ignore[misc]  # channels is untyped
    """Sends `{"count", "rows"}`: how many calls have come, and HTML of those that the page lists.

    The query names the page (`view`), its tenant, mode and filters, as its own URL does.
    """

    async def connect(self) -> None:
        self._query = QueryDict(self.scope["query_string"])
        self._session = _session_key(dict(self.scope["headers"]))
        self._waiting: list[UUID] = []
        self._count, self._rests_until, self._checked_at = 0, 0.0, 0.0
        self._updating: asyncio.Task[None] | None = None
        self._group = ""
        if not await self._is_admitted():
            await self.close(NOT_ALLOWED)
            return
        self._group = feed.group(self._tenant)
        await self.channel_layer.group_add(self._group, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        if self._updating:
            self._updating.cancel()
        if self._group:
            await self.channel_layer.group_discard(self._group, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Pages have nothing to say."""

    async def calls_booked(self, message: CallsBooked) -> None:
        """News of the feed; what comes within a pause goes out in one update."""
        self._count += message["count"]
        self._waiting = [*self._waiting, *feed.call_ids(message)][-feed.MOST_IDS :]
        if self._updating is None:
            self._updating = asyncio.create_task(self._update())

    async def _update(self) -> None:
        try:
            await asyncio.sleep(max(0.0, self._rests_until - time.monotonic()))
            calls, count = self._waiting, self._count
            self._waiting, self._count = [], 0
            self._updating = None
            self._rests_until = time.monotonic() + PAUSE_SECONDS
            if not await self._is_admitted():
                await self.close(NOT_ALLOWED)
                return
            rows = await database_sync_to_async(rows_of)(self._tenant, self._query, calls)
            await self.send_json({"count": count, "rows": rows})
        except Exception:  # the edge: nobody waits for this task
            log.exception("a page's live feed ends")
            await self.close(AWAY)

    async def _is_admitted(self) -> bool:
        """Whether the session's user belongs to the tenant; looked up again now and then."""
        now = time.monotonic()
        if self._checked_at and now - self._checked_at < CHECK_SECONDS:
            return True
        admit = database_sync_to_async(membership_of)
        found = await admit(self._session, self._query.get("tenant", ""))
        if found is None:
            return False
        self._tenant: UUID = found.tenant_id
        self._checked_at = now
        return True


def membership_of(session: str, tenant: str) -> Membership | None:
    """The membership of a session's user in the tenant of this id, if it may look at calls."""
    request = HttpRequest()
    request.session = SessionStore(session)
    user = get_user(request)
    if not isinstance(user, User) or not user.is_active:
        return None
    visit = impersonation.current(request.session.get(SESSION_KEY), user, timezone.now())
    if visit:
        return impersonating.membership_of(visit, user) if str(visit.tenant_id) == tenant else None
    theirs = [one for one in members.of_user(user) if str(one.tenant_id) == tenant]
    return theirs[0] if theirs and has_right(theirs[0].role, Right.VIEW) else None


def rows_of(tenant: UUID, query: QueryDict, calls: list[UUID]) -> str:
    """Table rows of those of the calls that the page would list, newest first."""
    template = ROWS.get(query.get("view", ""))
    if template is None:
        return ""
    mode = query.get("mode", "")
    with tenant_scope(tenant):
        wanted = of_tenant(tenant, query).wanted(mode if mode in Mode.values else Mode.TEST)
        picked = call_search.pick_calls(tenant, wanted, calls)
        context: dict[str, Any] = {
            "calls": records.with_names(tenant, picked),
            "recent": picked,
            "now": timezone.now(),
        }
    return render_to_string(template, context) if picked else ""


def _session_key(headers: dict[bytes, bytes]) -> str:
    try:
        cookies = parse_cookie(headers.get(b"cookie", b"").decode("latin-1"))
    except CookieError:
        return ""
    return str(cookies.get(settings.SESSION_COOKIE_NAME, ""))
