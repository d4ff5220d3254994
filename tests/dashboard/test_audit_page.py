"""The audit page, and the command that follows the chain."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts import audit
from accounts.models import AuditEvent
from accounts.tenancy import tenant_scope
from dashboard.forms.audit import plain
from dashboard.pages import audit as pages_audit
from dashboard.pages.audit import ROWS
from tests.dashboard.conftest import World
from tests.dashboard.reading import tables, text

PAGE = "/dashboard/audit/"


def record(world: World, count: int, action: str = "thing.changed") -> None:
    with tenant_scope(world.tenant.pk):
        for number in range(count):
            audit.record(
                world.tenant, actor=audit.person(world.owner), action=action, subject=f"no {number}"
            )


def rows(owner: Client, query: str = "") -> list[list[str]]:
    return tables(owner.get(f"{PAGE}{query}"))[0][1:]


def tamper(world: World) -> int:
    """Change an event behind the list's back; its number."""
    with tenant_scope(world.tenant.pk):
        event = AuditEvent.objects.for_tenant(world.tenant).order_by("number")[1]
        event.actor = "nobody"
        event.save()
    return int(event.number)


def test_changes_stand_newest_first_with_who_made_them(owner: Client, world: World) -> None:
    owner.post("/dashboard/settings/", {"name": "Acme Ltd", "time_zone": "UTC"})

    first = rows(owner)[0]

    assert first[0] == "Tenant renamed"
    assert first[1] == "Acme Ltd before: Acme"
    assert first[2] == world.owner.email


def test_older_events_are_a_page_further(owner: Client, world: World) -> None:
    record(world, ROWS)
    seen = [row[4] for row in rows(owner)]
    cursor = owner.get(PAGE).context["next"]
    older = [row[4] for row in rows(owner, f"?cursor={cursor}")]

    assert len(seen) == ROWS
    assert older
    assert [int(number) for number in seen + older] == list(range(len(seen + older), 0, -1))


def test_filters_restrict_by_action_actor_and_day(owner: Client, world: World) -> None:
    record(world, 2)

    assert len(rows(owner, "?action=thing.changed")) == 2
    assert {row[2] for row in rows(owner, f"?actor={world.owner.email[:8]}")} == {world.owner.email}
    assert "No event fits" in text(owner.get(f"{PAGE}?to=2001-01-01"))
    assert rows(owner, "?from=2001-01-01&to=2100-01-01&action=thing.changed")


@pytest.mark.parametrize("cursor", ["x", "-1", "9" * 30, "٣"])
def test_a_bad_cursor_is_no_page(cursor: str, owner: Client) -> None:
    assert owner.get(PAGE, {"cursor": cursor}).status_code == 404


def test_the_page_and_the_command_say_that_the_list_is_intact(owner: Client, world: World) -> None:
    said = StringIO()
    call_command("verify_audit", stdout=said)

    assert "Every event follows" in text(owner.get(f"{PAGE}?check=1"))
    assert f"{world.tenant.pk} intact" in said.getvalue()


def test_an_event_that_was_changed_is_named(owner: Client, world: World) -> None:
    number, said = tamper(world), StringIO()

    with pytest.raises(CommandError, match="1 audit list changed"):
        call_command("verify_audit", stdout=said)

    assert f"{world.tenant.pk} BROKEN at event {number}" in said.getvalue()
    assert f"Event {number} does not follow" in text(owner.get(f"{PAGE}?check=1"))


def test_a_page_follows_the_newest_of_a_long_chain_and_says_so(
    owner: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = tamper(world)
    record(world, 4)
    with tenant_scope(world.tenant.pk):
        last = audit.last_number(world.tenant)
    monkeypatch.setattr(pages_audit, "CHECKED", last - number)
    with CaptureQueriesContext(connection) as asked:
        said = text(owner.get(f"{PAGE}?check=1"))
    assert f"from number {number + 1} to the last" in said
    assert "verify_audit" in said
    assert not any("DISTINCT" in one["sql"] for one in asked)

    monkeypatch.setattr(pages_audit, "CHECKED", last - number + 1)
    assert f"Event {number} does not follow" in text(owner.get(f"{PAGE}?check=1"))


def test_a_kind_of_change_that_is_long_ago_can_still_be_asked_for(
    owner: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(world, 1, "old.made")
    record(world, 3)
    monkeypatch.setattr(pages_audit, "LISTED", 3)
    assert "Old made" not in text(owner.get(PAGE)).partition("Apply")[0]
    assert [row[0] for row in rows(owner, "?action=old.made")] == ["Old made"]


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("provider_key.added", "Provider key added"),
        ("gatewaykey.revoked", "Gateway key revoked"),
        ("tenant.deleted", "Tenant deleted"),
        ("odd", "Odd"),
    ],
)
def test_actions_are_told_in_words(action: str, said: str) -> None:
    assert plain(action) == said
