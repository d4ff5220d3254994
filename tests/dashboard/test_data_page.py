"""The training data page: the switch, what is collected, a look at it, the export, the deletion."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client

from accounts import ids, tenant_settings
from accounts.models import AuditEvent
from accounts.roles import Role
from accounts.tenancy import tenant_scope
from accounts.tenant_settings import Settings
from routing.models import CollectedCall, Feedback
from routing.training_data import exporting, filters
from tests.dashboard.conftest import LogIn, World
from tests.dashboard.reading import text
from tests.factories.training import collect_call

PAGE, EXPORT, DELETE = "/dashboard/data/", "/dashboard/data/export/", "/dashboard/data/delete/"
CONTENT = "/dashboard/settings/content/"
TERMS = {"content_cap": "1000", "retention_days": "30", "share": "100"}
TOOLS = {
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "And this <b>?"},
                                     {"type": "image_url", "image_url": {"url": "https://x"}}]},
        {"role": "assistant", "tool_calls": [
            {"id": "call_7", "type": "function",
             "function": {"name": "get_tide", "arguments": '{"port":"Kiel"}'}}]},
        {"role": "tool", "tool_call_id": "call_7", "content": "low"},
        {"role": "assistant", "content": "Low tide."},
    ],
    "tools": [{"type": "function", "function": {"name": "get_tide", "parameters": {}}}],
}  # fmt: skip


def its(world: World) -> Settings:
    with tenant_scope(world.tenant.pk):
        return tenant_settings.read(world.tenant.pk)


def kept(world: World) -> int:
    with tenant_scope(world.tenant.pk):
        return CollectedCall.objects.for_tenant(world.tenant).count()


def exported(owner: Client, query: str = "") -> tuple[Any, list[dict[str, Any]]]:
    """The answer and its lines, read as the server reads them: on a loop."""
    browser = AsyncClient()
    browser.cookies = owner.cookies

    async def download() -> tuple[Any, bytes]:
        answer: Any = await browser.get(EXPORT + query)
        return answer, b"".join([part async for part in answer.streaming_content])

    answer, body = async_to_sync(download)()
    return answer, [json.loads(line) for line in body.decode().splitlines()]


def test_nothing_is_collected_until_an_owner_starts_it(owner: Client, world: World) -> None:
    assert "Collecting is off" in text(owner.get(PAGE))
    assert its(world).store_content is False

    assert owner.post(PAGE, {**TERMS, "do": "on"}).status_code == 302

    assert its(world).store_content is True
    assert "every call that is answered" in text(owner.get(PAGE))


def test_the_form_narrows_down_what_is_collected(owner: Client, world: World) -> None:
    key = ids.show("key", world.key.pk)
    wish = {
        "do": "on", "content_cap": "50", "retention_days": "7", "share": "12.5",
        "projects": ["shop"], "gateway_keys": [key], "policies": ["default"],
        "finish_reasons": ["stop", "tool_calls"], "models": "groq/*\n\n gpt-4o-mini",
    }  # fmt: skip

    page = text(owner.post(PAGE, wish, follow=True))

    assert "calls that fit your filters" in page
    found = its(world)
    assert (found.content_cap, found.retention_days) == (50, 7)
    assert filters.of(found) == filters.Filter(
        projects=(world.project.pk,),
        gateway_keys=(world.key.lineage,),
        models=("groq/*", "gpt-4o-mini"),
        policies=("default",),
        finish_reasons=("stop", "tool_calls"),
        share=0.125,
    )
    again = owner.get(PAGE).content.decode()
    assert 'value="12.5"' in again
    assert again.count("checked") == 5


def test_stopping_keeps_what_is_there(owner: Client, world: World) -> None:
    owner.post(PAGE, {**TERMS, "do": "on"})

    assert "What is there stays" in text(owner.post(PAGE, {"do": "off"}, follow=True))

    assert its(world).store_content is False
    assert kept(world) == 1


@pytest.mark.parametrize(
    "wrong", [{"content_cap": "0"}, {"share": "0"}, {"projects": ["elsewhere"]}, {"share": "many"}]
)
def test_a_wish_that_makes_no_sense_changes_nothing(
    owner: Client, world: World, wrong: dict[str, Any]
) -> None:
    answer = owner.post(PAGE, {**TERMS, **wrong, "do": "on"})

    assert answer.status_code == 422
    assert its(world).store_content is False


def test_a_member_sees_that_there_is_something_but_not_what(log_in: LogIn, world: World) -> None:
    member = log_in(world.people[Role.MEMBER])

    page = text(member.get(PAGE))

    assert "Calls kept 1" in page
    assert "Where is the sea?" not in page
    assert "An owner or admin can change this" in page
    assert member.post(PAGE, {**TERMS, "do": "on"}).status_code == 403
    for path in (EXPORT, DELETE, f"{PAGE}{ids.show('call', world.call.id)}/", CONTENT):
        assert member.get(path).status_code == 403
        assert member.post(path).status_code == 403
    assert kept(world) == 1


def test_the_list_shows_what_was_asked_and_answered(owner: Client, world: World) -> None:
    collect_call(world.tenant, example=TOOLS, finish_reason="tool_calls", provider="openai")
    collect_call(world.tenant, mode="test")

    page = text(owner.get(PAGE))

    assert "Where is the sea? In the west." in page
    assert "And this &lt;b&gt;? (image_url) Low tide." in page
    assert "Called tools" in page
    assert "Calls kept 2" in page


def test_a_call_is_shown_turn_by_turn_and_can_be_deleted(owner: Client, world: World) -> None:
    path = f"{PAGE}{ids.show('call', collect_call(world.tenant, example=TOOLS))}/"

    page = text(owner.get(path))

    assert "And this &lt;b&gt;? (image_url)" in page
    assert "get_tide call_7 {&quot;port&quot;:&quot;Kiel&quot;}" in page
    assert "with 1 tool" in page
    assert owner.post(path).status_code == 302
    assert owner.get(path).status_code == 404
    assert kept(world) == 1


def test_filters_narrow_the_list_and_the_export(owner: Client, world: World, now: datetime) -> None:
    liked = collect_call(world.tenant, project=world.project.pk, model="gpt-x", example=TOOLS)
    collect_call(world.tenant, at=now - timedelta(days=3))
    with tenant_scope(world.tenant.pk):
        Feedback.objects.for_tenant(world.tenant).create(
            tenant=world.tenant, call=liked, mode="live", provider="groq", model="gpt-x",
            score=1.0, created_at=now,
        )  # fmt: skip

    today = f"{now:%Y-%m-%d}"
    for query in ("model=gpt-x", "project=shop", "min_score=0.5", f"model=gpt-x&from={today}"):
        page = text(owner.get(f"{PAGE}?{query}"))
        assert "Low tide." in page, query
        assert "In the west." not in page, query
        _, lines = exported(owner, f"?{query}")
        assert [one["messages"][-1]["content"] for one in lines] == ["Low tide."], query
    assert "No collected call fits" in text(owner.get(f"{PAGE}?finish_reason=length"))


def test_the_export_streams_every_line_and_says_how_many(
    owner: Client, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "AT_ONCE", 2)
    for _ in range(4):
        collect_call(world.tenant)

    answer, lines = exported(owner)

    assert answer["x-flo2-lines"] == "5"
    assert "training-data-live-" in answer["Content-Disposition"]
    assert answer["Cache-Control"] == "no-store"
    assert len(lines) == 5
    assert all(one["messages"][-1]["content"] == "In the west." for one in lines)


def test_deleting_asks_first_and_leaves_a_line_on_the_audit_list(
    owner: Client, world: World
) -> None:
    collect_call(world.tenant, mode="test")
    assert "2 collected calls" in text(owner.get(DELETE))

    assert "Deleted: 2 collected calls" in text(owner.post(DELETE, follow=True))

    assert kept(world) == 0
    with tenant_scope(world.tenant.pk):
        last = AuditEvent.objects.for_tenant(world.tenant).order_by("-number").first()
    assert last
    assert (last.action, last.details) == ("training_data.deleted", {"calls": 2})


def test_settings_say_what_is_kept_and_delete_it_all(owner: Client, world: World) -> None:
    owner.post(PAGE, {**TERMS, "do": "on"})
    assert "Training data collected" in text(owner.get("/dashboard/settings/"))
    assert "Delete all content?" in text(owner.get(CONTENT))
    assert kept(world) == 1

    assert "1 collected calls" in text(owner.post(CONTENT, follow=True))

    assert kept(world) == 0


def test_a_row_that_does_not_open_is_passed_over(owner: Client, world: World) -> None:
    call = collect_call(world.tenant, example=TOOLS)
    with tenant_scope(world.tenant.pk):
        CollectedCall.objects.for_tenant(world.tenant).filter(pk=call).update(sealed=b"\x01rubbish")

    assert "Low tide." not in text(owner.get(PAGE))
    assert len(exported(owner)[1]) == 1
    page = text(owner.get(f"{PAGE}{ids.show('call', call)}/"))
    assert "does not open any more" in page
