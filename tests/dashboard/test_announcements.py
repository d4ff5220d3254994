"""Announcements of the operator: from, until, and until somebody has seen enough of them."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import OperatorEvent
from accounts.roles import Role
from dashboard.models import Announcement, Dismissal
from tests.dashboard.conftest import LogIn, World
from tests.dashboard.reading import text

ADD = "/admin/dashboard/announcement/add/"
LIST = "/admin/dashboard/announcement/"
DISMISS = "/dashboard/announcements/dismiss/"
HOUR = timedelta(hours=1)


def announce(now: datetime, words: str = "Maintenance at noon", **more: Any) -> Announcement:
    return Announcement.objects.create(text=words, starts_at=now - HOUR, **more)


def dismissal(page: Any) -> dict[str, str]:
    """What the button of a page's announcement sends."""
    found = re.search(r'name="announcement" value="([^"]+)"', page.content.decode())
    assert found
    return {"announcement": found[1], "next": "/dashboard/costs/"}


def test_the_operator_announces_and_everybody_reads_it_on_every_page(
    browser: Client, world: World, log_in: LogIn, now: datetime
) -> None:
    form = {
        "text": "Maintenance <b>at noon</b>, see https://status.example.org",
        "level": "warning",
        "starts_at_0": f"{now:%Y-%m-%d}",
        "starts_at_1": "00:00",
        "ends_at_0": f"{now + timedelta(days=1):%Y-%m-%d}",
        "ends_at_1": "23:00",
        "is_dismissible": "on",
    }

    assert browser.post(ADD, form)["Location"] == LIST

    assert "Maintenance" in text(browser.get(LIST))
    event = OperatorEvent.objects.get()
    assert (event.action, event.details["level"]) == ("announcement.made", "warning")
    viewer = log_in(world.people[Role.VIEWER])
    for path in ("/dashboard/", "/dashboard/costs/", "/dashboard/settings/"):
        page = viewer.get(path).content.decode()
        assert "Maintenance &lt;b&gt;at noon&lt;/b&gt;" in page
        assert '<a href="https://status.example.org"' in page
    assert "Maintenance" not in text(Client().get("/"))


def test_one_that_ends_before_it_starts_is_refused(browser: Client, now: datetime) -> None:
    form = {
        "text": "x", "level": "info", "starts_at_0": "2026-11-20", "starts_at_1": "12:00",
        "ends_at_0": "2026-11-20", "ends_at_1": "11:00",
    }  # fmt: skip

    assert "It ends before it starts." in text(browser.post(ADD, form))


@pytest.mark.parametrize(("starts", "ends"), [(1, 2), (-2, -1)])
def test_before_its_time_and_after_it_is_not_shown(
    starts: int, ends: int, owner: Client, now: datetime
) -> None:
    Announcement.objects.create(
        text="Not now", starts_at=now + starts * HOUR, ends_at=now + ends * HOUR
    )

    assert "Not now" not in text(owner.get("/dashboard/"))


def test_each_person_dismisses_for_themselves(
    owner: Client, world: World, log_in: LogIn, now: datetime
) -> None:
    announce(now)

    answer = owner.post(DISMISS, dismissal(owner.get("/dashboard/")))

    assert answer["Location"] == "/dashboard/costs/"
    assert "Maintenance" not in text(owner.get("/dashboard/"))
    assert "Maintenance" in text(log_in(world.people[Role.ADMIN]).get("/dashboard/"))


def test_what_must_be_seen_cannot_be_dismissed(owner: Client, now: datetime) -> None:
    open_one = announce(now)
    form = dismissal(owner.get("/dashboard/"))
    open_one.is_dismissible = False
    open_one.save()

    assert "Dismiss" not in text(owner.get("/dashboard/"))
    assert owner.post(DISMISS, form).status_code == 404
    assert owner.post(DISMISS, {"announcement": "ann_nonsense"}).status_code == 404
    assert not Dismissal.objects.exists()


@pytest.mark.parametrize(
    "place",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "nowhere", "1e400", "🦀"],
)
def test_a_dismissal_leads_to_a_page_of_ours(place: str, owner: Client, now: datetime) -> None:
    announce(now)
    form = {**dismissal(owner.get("/dashboard/")), "next": place}

    assert owner.post(DISMISS, form)["Location"] == "/dashboard/"


def test_the_gravest_comes_first(owner: Client, now: datetime) -> None:
    announce(now, "Mild", level="info")
    announce(now, "Grave", level="critical")

    said = text(owner.get("/dashboard/"))

    assert said.index("Grave") < said.index("Mild")


def test_changes_and_ends_are_noted(browser: Client, now: datetime) -> None:
    row = announce(now)

    browser.post(f"{LIST}{row.pk}/delete/", {"post": "yes"})

    assert not Announcement.objects.exists()
    assert OperatorEvent.objects.get().action == "announcement.deleted"


def test_members_announce_nothing(owner: Client) -> None:
    assert owner.post(ADD, {"text": "x"}).status_code == 404
