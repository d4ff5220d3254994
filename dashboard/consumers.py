"""The live feed: new calls, as rows of the table that a page already shows."""

import asyncio
import logging
import time
from http.cookies import CookieError
from typing import Any, NamedTuple
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
FULL_PAUSE_SECONDS = 0.6  # after one that replaced all rows: nobody reads faster
MOST_WAITING = 2000  # ids that may fit the filters of the page, until its next update
CHECK_SECONDS = 30.0  # that long somebody who was removed may still see calls
NOT_ALLOWED, AWAY = 4403, 1011
PAUSE, GO = "pause", "go"  # what a page says: that nobody sees it now, that somebody does again


class Listing(NamedTuple):
    """How a page lists calls: the template of its rows, and how many it shows."""

    template: str
    rows: int


LISTINGS = {
    "calls": Listing("dashboard/_call_rows.html", 50),
    "overview": Listing("dashboard/_call_rows_short.html", 8),
}


class LiveCalls(AsyncJsonWebsocketConsumer):  # type: ignore[misc]  # channels is untyped
    """Sends `{"count", "rows", "full", "cut"}`: how many calls have come, and HTML of the newest
    that the page lists, no more than it shows; `full` where others were left out; `cut` where so
    many had come that some of those that a filtered page lists may be missing.

    The query names the page (`view`), its tenant, mode and filters, as its own URL does.
    """

    async def connect(self) -> None:
        self._query = QueryDict(self.scope["query_string"])
        self._session = _session_key(dict(self.scope["headers"]))
        self._waiting: list[UUID] = []
        self._is_cut = False
        self._count, self._rests_until, self._checked_at = 0, 0.0, 0.0
        self._is_seen = True
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
        """A page that nobody sees costs nothing: what comes meanwhile is sent when it is seen."""
        if text_data in {PAUSE, GO}:
            self._is_seen = text_data == GO
            self._wake()

    async def calls_booked(self, message: CallsBooked) -> None:
        """News of the feed; what comes within a pause goes out in one update."""
        self._count += message["count"]
        waiting = [*self._waiting, *feed.call_ids(message)]
        self._waiting = waiting[-MOST_WAITING:]
        self._is_cut |= self._count > len(self._waiting)
        self._wake()

    def _wake(self) -> None:
        if self._updating is None and self._count and self._is_seen:
            self._updating = asyncio.create_task(self._update())

    async def _update(self) -> None:
        """Send what waits, one update after the other: a page that reads slowly gets fewer."""
        try:
            while self._count and self._is_seen:
                await asyncio.sleep(max(0.0, self._rests_until - time.monotonic()))
                if not await self._is_admitted():
                    await self.close(NOT_ALLOWED)
                    return
                await self._send_waiting()
        except Exception:  # the edge: nobody waits for this task
            log.exception("a page's live feed ends")
            await self.close(AWAY)
        finally:
            self._updating = None

    async def _send_waiting(self) -> None:
        calls, count, is_cut = self._waiting, self._count, self._is_cut
        self._waiting, self._count, self._is_cut = [], 0, False
        began = time.monotonic()
        rows, is_full = await database_sync_to_async(rows_of)(self._tenant, self._query, calls)
        self._rests_until = began + (FULL_PAUSE_SECONDS if is_full else PAUSE_SECONDS)
        told = {"count": count, "rows": rows, "full": is_full, "cut": is_cut and not is_full}
        await self.send_json(told)

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


def rows_of(tenant: UUID, query: QueryDict, calls: list[UUID]) -> tuple[str, bool]:
    """Table rows of those of the calls that the page would list, newest first.

    No more than it shows; and whether others were left out.
    """
    listing = LISTINGS.get(query.get("view", ""))
    if listing is None:
        return "", False
    mode = query.get("mode", "")
    with tenant_scope(tenant):
        wanted = of_tenant(tenant, query).wanted(mode if mode in Mode.values else Mode.TEST)
        picked = call_search.pick_calls(tenant, wanted, calls, limit=listing.rows + 1)
        is_full, picked = len(picked) > listing.rows, picked[: listing.rows]
        context: dict[str, Any] = {
            "calls": records.with_names(tenant, picked),
            "recent": picked,
            "now": timezone.now(),
        }
    html = render_to_string(listing.template, context) if picked else ""
    return html, is_full


def _session_key(headers: dict[bytes, bytes]) -> str:
    try:
        cookies = parse_cookie(headers.get(b"cookie", b"").decode("latin-1"))
    except CookieError:
        return ""
    return str(cookies.get(settings.SESSION_COOKIE_NAME, ""))
