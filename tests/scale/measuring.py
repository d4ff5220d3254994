"""How long a page takes on the server, and how often it asks the database."""

import os
import statistics
import time
from dataclasses import dataclass
from datetime import timedelta

from django.test import Client

from accounts import ids
from accounts.models import Membership
from accounts.tenancy import tenant_scope
from billing.models import Call
from tests.dashboard import test_queries
from tests.scale.seeding import RARE, Orders

FULL = os.environ.get("FLO2_TEST_FULL") == "1"
MOST_QUERIES = 12
ROUNDS = 9


@dataclass(frozen=True)
class Page:
    name: str
    path: str


@dataclass(frozen=True)
class Measured:
    page: Page
    queries: int
    median_ms: float
    slowest_ms: float

    def __str__(self) -> str:
        return (
            f"{self.page.name:32} {self.queries:3} queries"
            f" {self.median_ms:7.0f} ms median {self.slowest_ms:7.0f} ms slowest"
        )


def pages(orders: Orders) -> list[Page]:
    """The pages that people open most, with filters that fit many calls, few, and none."""
    key = ids.show("key", orders.keys[3])
    with tenant_scope(orders.tenant):
        rows = Call.objects.for_tenant(orders.tenant).filter(mode="live", attempts=2)
        call = ids.show("call", rows.order_by("-id")[0].id)
    listed, spend = "/dashboard/calls/?mode=live", "/api/v1/reports/spend"
    first, last = (orders.now - timedelta(days=orders.days)).date(), orders.now.date()
    return [
        Page("overview", "/dashboard/?mode=live"),
        Page("costs", "/dashboard/costs/?mode=live"),
        Page("costs by key", "/dashboard/costs/?mode=live&by=key"),
        Page("costs by tag", "/dashboard/costs/?mode=live&by=tag"),
        Page("costs by tag, 90 days", f"/dashboard/costs/?mode=live&by=tag&from={first}&to={last}"),
        Page(
            "API: spend by tag, 90 days", f"{spend}?mode=live&group_by=tag&from={first}&to={last}"
        ),
        Page("calls", listed),
        Page("calls: common filters", f"{listed}&provider=groq&status=succeeded&tag=beta"),
        Page("calls: three filters", f"{listed}&provider=openai&status=failed&project=project-1"),
        Page("calls: key, model, status", f"{listed}&key={key}&model=gpt-4.1&status=cancelled"),
        Page("calls: a rare tag", f"{listed}&provider=groq&status=succeeded&tag={RARE}"),
        Page("calls: no such tag", f"{listed}&provider=groq&status=succeeded&tag=none-has-it"),
        Page("calls: no such model", f"{listed}&key={key}&model=nobody-asked&status=succeeded"),
        Page("call", f"/dashboard/calls/{call}/"),
    ]


def logged_in(owner: Membership) -> Client:
    client = Client()
    client.force_login(owner.user)
    return client


def queries(client: Client, page: Page) -> int:
    return len(test_queries.asked(client, page.path))


def load() -> str:
    """What else the machine does."""
    return f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def measure(client: Client, page: Page) -> Measured:
    asked = queries(client, page)
    seconds = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        assert client.get(page.path).status_code == 200
        seconds.append(time.perf_counter() - began)
    return Measured(page, asked, statistics.median(seconds) * 1000, max(seconds) * 1000)
