"""Experiments on their pages: drawn up with a forecast, started, read, promoted."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from django.test import Client

from accounts import ids
from accounts.audit import SYSTEM
from accounts.roles import Role
from accounts.tenancy import tenant_scope
from dashboard import experiment_charts
from routing import lab, policies, samples
from routing.judging.results import tally_of
from routing.models import Experiment, Judgement, Sample
from routing.samples import Example
from tests.dashboard.conftest import LogIn, World, milliseconds
from tests.dashboard.reading import text
from tests.factories.billing import book_call
from tests.factories.experiments import draft_experiment

LIST, NEW = "/dashboard/experiments/", "/dashboard/new-experiment/"
ARMS = "A openai/gpt-4.1-mini\nB groq/llama-3.3-70b-versatile 2"
FILLED = {
    "name": "cheaper", "policy": "", "arms": ARMS, "assignment": "session",
    "judge_model": "anthropic/claude-sonnet-4-5", "shadow_rate": "10", "target_pairs": "200",
    "max_judge_spend": "5",
}  # fmt: skip


def draw_up(world: World, now: datetime, **terms: Any) -> Experiment:
    """Beside the one that runs in this world."""
    with tenant_scope(world.tenant.pk):
        lab.stop(world.experiment, actor=SYSTEM, now=now)
    return draft_experiment(world.tenant, now=now, name="duel", **terms)


def judged(row: Experiment, points: list[int], now: datetime) -> None:
    with tenant_scope(row.tenant_id):
        Judgement.objects.for_tenant(row.tenant_id).bulk_create(
            [
                Judgement(
                    tenant_id=row.tenant_id, experiment=row, sample=ids.new(), challenger="B",
                    kind="pair", at=now, half_points=x, is_consistent=True, style=[0, 0, 0, 0],
                )
                for x in points
            ]
        )  # fmt: skip


def test_a_forecast_says_what_it_will_cost_before_anything_is_saved(
    owner: Client, world: World
) -> None:
    answer = owner.post(f"{NEW}?mode=live", {**FILLED, "do": "forecast"})

    said = text(answer)
    assert answer.status_code == 200
    assert "Before it starts" in said
    assert "≈ $" in said
    with tenant_scope(world.tenant.pk):
        assert list(Experiment.objects.for_tenant(world.tenant)) == [world.experiment]


def test_a_draft_is_saved_started_stopped_and_deleted(
    owner: Client, world: World, now: datetime
) -> None:
    with tenant_scope(world.tenant.pk):
        lab.stop(world.experiment, actor=SYSTEM, now=now)
    answer = owner.post(f"{NEW}?mode=live", {**FILLED, "do": "save"})
    page = answer["Location"]

    with tenant_scope(world.tenant.pk):
        row = lab.find(world.tenant, page.rstrip("/").rpartition("/")[2])
        assert [(a.name, a.weight) for a in lab.wish_of(row).arms] == [("A", 1.0), ("B", 2.0)]
        assert row.shadow_rate == 0.1
    assert "cheaper runs." in text(owner.post(page, {"do": "start"}, follow=True))
    assert "only a draft can be started" in text(owner.post(page, {"do": "start"}, follow=True))
    assert "samples are erased" in text(owner.post(page, {"do": "stop"}, follow=True))
    assert "cheaper is deleted" in text(owner.post(page, {"do": "delete"}, follow=True))
    assert owner.get(page).status_code == 404


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"arms": "A openai/gpt-4.1-mini"}, "2 to 5 arms"),
        ({"arms": "A nope-17\nB openai/gpt-4.1-mini"}, "nope-17"),
        ({"arms": "A @gone\nB openai/gpt-4.1-mini"}, "no policy"),
        ({"arms": "A openai/gpt-4.1-mini heavy\nB @default"}, "is no weight"),
        ({"judge_model": "auto"}, "Name one model"),
        ({"name": "No Capitals"}, "1 to 64"),
        ({"max_judge_spend": ""}, "How much may judging cost"),
    ],
)
def test_what_is_wrong_stands_at_its_field(
    owner: Client, fields: dict[str, str], said: str
) -> None:
    answer = owner.post(NEW, {**FILLED, **fields, "do": "save"})

    assert answer.status_code == 422
    assert said in text(answer)


def test_a_judge_of_the_same_line_is_warned_of(owner: Client) -> None:
    answer = owner.post(NEW, {**FILLED, "judge_model": "openai/gpt-4.1", "do": "forecast"})

    assert "same line of models as arm A" in text(answer)


def test_the_result_page_says_who_is_better_and_draws_how_it_came(
    owner: Client, world: World, now: datetime
) -> None:
    row = draw_up(world, now)
    owner.post(f"{LIST}{row.shown_id}/", {"do": "start"})
    judged(row, [2] * 60 + [0] * 10, now)
    for arm in "AB":
        book_call(world.tenant, opened_at=milliseconds(now) + 5000,
                  experiment=f"{row.shown_id}/{arm}")  # fmt: skip

    answer = owner.get(f"{LIST}{row.shown_id}/?mode=live")

    said = text(answer)
    assert "B is better" in said
    assert "60 won, 0 tied, 10 lost" in said
    body = answer.content.decode()
    assert 'class="band"' in body
    assert 'class="course"' in body
    assert "<circle" in body


def test_promoting_an_arm_writes_the_policy(owner: Client, world: World, now: datetime) -> None:
    row = draw_up(world, now, policy="default")
    page = f"{LIST}{row.shown_id}/"
    owner.post(page, {"do": "start"})

    answer = owner.post(page, {"do": "promote:B"}, follow=True)

    assert "Arm B is policy default, version 2" in text(answer)
    with tenant_scope(world.tenant.pk):
        current = policies.version(policies.find(world.tenant, "default"))
    assert current.document["targets"] == ["groq/llama-3.3-70b-versatile"]


def test_a_viewer_may_look_and_not_touch(log_in: LogIn, world: World, now: datetime) -> None:
    row = draw_up(world, now)
    viewer = log_in(world.people[Role.VIEWER])

    assert viewer.get(f"{LIST}{row.shown_id}/").status_code == 200
    assert viewer.post(f"{LIST}{row.shown_id}/", {"do": "start"}).status_code == 403
    assert viewer.get(NEW).status_code == 403


def test_the_drawing_shrinks_and_ends_at_the_last_pair() -> None:
    points = tuple([2, 0] * 200)

    class Pair:
        pass

    pair: Any = Pair()
    pair.points = points
    drawn = experiment_charts.course(pair, challengers=1)

    assert drawn is not None
    newest, oldest = drawn.rows[0], next(row for row in reversed(drawn.rows) if row.low)
    assert newest.n == 400
    assert newest.win_rate == tally_of(points).win_rate
    assert (newest.high or 0) - (newest.low or 0) < (oldest.high or 0) - (oldest.low or 0)


def test_pairs_that_are_kept_are_content_and_not_shown_to_viewers(
    log_in: LogIn, world: World, now: datetime
) -> None:
    row = draw_up(world, now, keeps_examples=True)
    example = Example(
        request="marmalade?", answers={"A": "Yes.", "B": "No."}, reason="so", outcome="B"
    )
    with tenant_scope(world.tenant.pk):
        lab.start(row, actor=SYSTEM, now=now)
        call = ids.new()
        Sample.objects.for_tenant(world.tenant).create(
            id=call, tenant=world.tenant, experiment=row, arm="A", state="done",
            expires_at=now + timedelta(days=1), request_digest=b"r" * 16,
            content=samples.seal(world.tenant.pk, call, msgspec.msgpack.encode(example)),
        )  # fmt: skip
    page = f"{LIST}{row.shown_id}/"

    seen = {
        role: "marmalade?" in text(log_in(world.people[role]).get(page))
        for role in (Role.OWNER, Role.MEMBER, Role.VIEWER)
    }

    assert seen == {Role.OWNER: True, Role.MEMBER: True, Role.VIEWER: False}
