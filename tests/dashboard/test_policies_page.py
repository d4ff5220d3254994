"""Policies on their page: the form and JSON, dry run, replay, versions, roles."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.audit import SYSTEM
from accounts.roles import Role
from accounts.tenancy import tenant_scope
from routing import policies
from tests.dashboard.conftest import LogIn, World, milliseconds
from tests.dashboard.reading import tables, text
from tests.factories.accounts import TenantFactory, issue_gateway_key
from tests.factories.billing import AttemptEndedFactory, book_call

LIST, PAGE, NEW = (
    "/dashboard/policies/", "/dashboard/policies/default/", "/dashboard/new-policy/",
)  # fmt: skip
GROQ, OPENAI = "groq/llama-3.3-70b-versatile", "openai/gpt-4.1-mini"
TRY = {"model": "auto", "input_tokens": "500", "days": "7"}


def post(client: Client, path: str, do: str, **fields: Any) -> Any:
    return client.post(path, {"strategy": "cheapest", **TRY, "do": do, **fields}, follow=True)


def test_a_new_policy_replaces_none_of_the_same_name(owner: Client, world: World) -> None:
    before = document(world)

    answer = post(owner, "/dashboard/new-policy/", "save:form", name="default", strategy="fastest")

    assert answer.status_code == 422
    assert "There is a policy of this name already" in text(answer)
    assert 'value="default"' in answer.content.decode()
    assert document(world) == before


def document(world: World, name: str = "default") -> Any:
    with tenant_scope(world.tenant.pk):
        return policies.version(policies.find(world.tenant, name)).document


def test_the_form_saves_what_it_says(owner: Client, world: World) -> None:
    answer = post(
        owner, PAGE, "save:form",
        strategy="weighted", targets=f"{GROQ} 3\n{OPENAI}", fallbacks="gpt-oss-120b",
        quality="", retries="2", race_width="2", hedge_after="p95", first_token_s="1.5",
        max_output="4.50", require=["tools", "image"], sticky="on", lock="on", cache_ttl="0",
    )  # fmt: skip

    assert "default version 2 is in force." in text(answer)
    assert document(world) == {
        "strategy": "weighted",
        "targets": [{"model": GROQ, "weight": 3}, OPENAI],
        "fallbacks": ["gpt-oss-120b"],
        "race": {"width": 2},
        "hedge": {"after_ms": "p95"},
        "retries": 2,
        "timeouts": {"first_token_s": 1.5},
        "cache": {"ttl_s": 0},
        "max_price": {"output": 4.5},
        "require": ["tools", "image"],
        "sticky": "session",
        "lock": True,
    }


def test_what_was_saved_stands_in_the_form_and_saving_it_again_changes_nothing(
    owner: Client, world: World
) -> None:
    whole = {
        "strategy": "weighted", "targets": [{"model": GROQ, "weight": 3}, OPENAI],
        "fallbacks": ["gpt-oss-120b"], "race": {"width": 2}, "hedge": {"after_ms": 800},
        "hedge_budget": 0.2, "retries": 0, "timeouts": {"total_s": 30}, "quality": 7,
        "max_price": {"input": 1}, "require": ["tools"], "sticky": "session",
    }  # fmt: skip
    post(owner, PAGE, "save:json", document=json.dumps(whole))

    form = owner.get(PAGE).context["form"]
    fields = {name: form[name].value() for name in form.fields}
    blank = {"None", "False", ""}
    sent = {name: value for name, value in fields.items() if str(value) not in blank}
    answer = post(owner, PAGE, "save:form", **sent)

    assert document(world) == whole
    assert "default version 2 is in force." in text(answer)


def test_json_saves_the_same(owner: Client, world: World) -> None:
    post(owner, PAGE, "save:json", document='{"strategy": "priority", "targets": ["auto"]}')

    assert document(world) == {"strategy": "priority", "targets": ["auto"]}


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"retries": "many"}, "A whole number from 0 to 5."),
        ({"quality": "11"}, "A number from 0 to 10."),
        ({"strategy": "priority"}, "needs at least one target"),
        ({"targets": "a b c"}, "A number from 0.001 to 1000."),
        ({"race_width": "9"}, "A whole number from 1 to 5."),
        ({"strategy": "quick"}, "Select a valid choice."),
    ],
)
def test_what_is_wrong_in_the_form_is_said_at_its_field(
    owner: Client, world: World, fields: dict[str, str], said: str
) -> None:
    answer = post(owner, PAGE, "save:form", **fields)

    assert answer.status_code == 422
    assert said in text(answer)
    assert document(world) == {"strategy": "cheapest"}


@pytest.mark.parametrize("written", ["{", '{"strategy": "x"}', "[]", '{"colour": 1}'])
def test_what_is_wrong_in_the_json_is_said_and_stands_there_again(
    owner: Client, world: World, written: str
) -> None:
    answer = post(owner, PAGE, "save:json", document=written)

    assert answer.status_code == 422
    assert answer.context["json_form"]["document"].value() == written
    assert answer.context["json_form"].errors
    assert document(world) == {"strategy": "cheapest"}


def test_a_new_policy_gets_its_name_and_its_page(owner: Client, world: World) -> None:
    nameless = post(owner, NEW, "save:form")
    answer = post(owner, NEW, "save:form", name="night", strategy="fastest")

    assert nameless.status_code == 422
    assert "This field is required." in text(nameless)
    assert answer.redirect_chain[-1][0] == "/dashboard/policies/night/"
    assert document(world, "night") == {"strategy": "fastest"}


def test_a_draft_is_tried_without_being_saved(owner: Client, world: World) -> None:
    answer = post(
        owner, f"{PAGE}?mode=test", "try:form",
        strategy="priority", targets=f"{OPENAI}\n{GROQ}", needs=["tools"],
    )  # fmt: skip

    assert answer.status_code == 200
    rows = tables(answer)[0][1:]
    assert [row[0].partition(" ")[0] for row in rows] == ["1.", "2."]
    assert "gpt-4.1-mini" in rows[0][0]
    assert "First on the policy's list" in rows[0][1]
    assert "not saved" in text(answer)
    assert document(world) == {"strategy": "cheapest"}
    assert json.loads(answer.context["json_form"]["document"].value())["strategy"] == "priority"


def test_a_draft_that_nobody_can_serve_says_why(owner: Client) -> None:
    answer = post(
        owner, f"{PAGE}?mode=live", "try:form",
        strategy="priority", targets="cerebras/gpt-oss-120b",
    )  # fmt: skip

    assert "no_provider_key" in text(answer)
    assert "cerebras/gpt-oss-120b" in text(answer)


def test_a_model_that_nobody_knows_is_said_at_its_field(owner: Client) -> None:
    answer = post(owner, PAGE, "try:form", model="gpt-oss-121b")

    assert answer.status_code == 422
    assert "gpt-oss-120b" in text(answer)


def test_a_replay_shows_its_basis(owner: Client, world: World, now: datetime) -> None:
    shown = AttemptEndedFactory.build(call="x", provider="openai", model="gpt-4.1-mini")
    book_call(world.tenant, attempts=[shown], opened_at=milliseconds(now - timedelta(hours=2)))

    answer = post(owner, f"{PAGE}?mode=live", "replay:form", targets=GROQ)

    said = text(answer)
    assert "estimate" in said
    assert "Basis: 2 succeeded live calls (all calls)" in said
    assert "Cost, USD" in said


def test_warnings_of_the_policy_in_force_are_shown(owner: Client, world: World) -> None:
    post(owner, PAGE, "save:form", strategy="priority", targets="cerebras/gpt-oss-120b")

    assert "paste one of Cerebras" in text(owner.get(PAGE))


def test_versions_are_compared_and_brought_back(owner: Client, world: World) -> None:
    post(owner, PAGE, "save:form", strategy="fastest")

    compared = owner.get(f"{PAGE}?compare=1")
    assert "- &quot;strategy&quot;: &quot;cheapest&quot;" in " ".join(
        compared.content.decode().split()
    )
    assert '+ "strategy": "fastest"' in text(compared).replace("&quot;", '"')
    answer = owner.post(PAGE, {"roll_back": "1"}, follow=True)

    assert "Version 3 is in force: version 1 once more." in text(answer)
    assert document(world) == {"strategy": "cheapest"}
    assert owner.post(PAGE, {"roll_back": "9"}).status_code == 404


def test_a_policy_that_keys_have_is_not_deleted(owner: Client, world: World) -> None:
    key = issue_gateway_key(world.tenant, name="Checkout", policy="default").record
    asked = owner.get(f"{PAGE}delete/")
    owner.post(f"{PAGE}delete/")
    assert "Checkout" in text(asked)
    assert document(world) == {"strategy": "cheapest"}

    owner.post(f"/dashboard/keys/{key_id(key)}/revoke/")
    owner.post(f"{PAGE}delete/")

    assert owner.get(PAGE).status_code == 404
    assert "No policy yet" in text(owner.get(LIST))


def key_id(key: Any) -> str:
    from accounts import ids

    return ids.show("key", key.pk)


def test_a_new_key_may_have_a_policy(owner: Client, world: World) -> None:
    owner.post("/dashboard/keys/", {"name": "CI", "mode": "test", "policy": "default"})
    wrong = owner.post("/dashboard/keys/", {"name": "CD", "mode": "test", "policy": "nope"})

    assert wrong.status_code == 422
    assert "by policy default" in text(owner.get("/dashboard/keys/"))
    assert [tables(owner.get(LIST))[0][1][place] for place in (0, 3)] == ["default", "CI"]


def test_a_viewer_looks_and_changes_nothing(world: World, log_in: LogIn) -> None:
    viewer = log_in(world.people[Role.VIEWER])

    assert 'name="do"' not in viewer.get(PAGE).content.decode()
    assert post(viewer, PAGE, "save:form", strategy="fastest").status_code == 403
    assert post(viewer, PAGE, "try:form").status_code == 403
    assert viewer.post(PAGE, {"roll_back": "1"}).status_code == 403
    assert document(world) == {"strategy": "cheapest"}


def test_policies_of_another_tenant_are_unknown(owner: Client) -> None:
    other = TenantFactory.create()
    with tenant_scope(other.pk):
        policies.save(other, "theirs", {"strategy": "cheapest"}, actor=SYSTEM)

    assert owner.get("/dashboard/policies/theirs/").status_code == 404
    assert post(owner, "/dashboard/policies/theirs/", "save:form").status_code == 404
    assert "theirs" not in text(owner.get(LIST))
