"""Labels over HTTP: what a judge and users said of models reaches `auto`, of that tenant alone."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from accounts import audit, changes, gateway_keys, ids
from accounts.tenancy import tenant_scope
from routing import lab, labels, policies
from routing.lab import ArmWish, Wish
from routing.models import Experiment, Judgement
from tests.journeys import books
from tests.journeys.conftest import Caller, new_caller
from tests.servers.gateway import wait_for

DEAR, CHEAP, OTHER = "openai/gpt-4.1", "groq/llama-3.3-70b-versatile", "openai/gpt-4.1-mini"
CHAT, EXPLAIN = "/v1/chat/completions", "/v1/route/explain"
POLICY = {"strategy": "balanced", "quality": 10, "targets": [DEAR, CHEAP, OTHER]}


def asked(text: str) -> dict[str, Any]:
    return {"model": "auto", "messages": [{"role": "user", "content": text}]}


def send(caller: Caller, path: str, body: dict[str, Any]) -> httpx.Response:
    with caller.gateway.client(caller.test_key) as http:
        answer = http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer


def first(caller: Caller, text: str = "Hello there") -> dict[str, Any]:
    found: dict[str, Any] = send(caller, EXPLAIN, asked(text)).json()["candidates"][0]
    return found


def settle_on(caller: Caller, **terms: Any) -> None:
    """The tenant's default policy, known to the gateway."""
    with tenant_scope(caller.tenant.pk):
        saved = policies.save(
            caller.tenant, "default", {**POLICY, **terms}, actor=audit.SYSTEM
        ).version.number
    wait_for(
        lambda: send(caller, EXPLAIN, asked("Hi")).json()["policy_version"] == saved,
        "the policy applies",
        seconds=5,
    )


def judge(
    caller: Caller, outcomes: dict[int, int], *, mode: str = "test", task: str = "chat",
    consistent: bool = True, right: int = 5,
) -> Experiment:  # fmt: skip
    """An experiment with so many pairs of 0, 1 and 2 half points for the cheap model."""
    now = datetime.now(UTC)
    wish = Wish(
        name=f"duel-{ids.new().hex[:6]}", mode=mode, max_judge_spend=Decimal(5),
        arms=(ArmWish("A", DEAR), ArmWish("B", CHEAP)),
    )  # fmt: skip
    with tenant_scope(caller.tenant.pk):
        row = lab.draw_up(caller.tenant, wish, actor=audit.SYSTEM, now=now)
        common: dict[str, Any] = {
            "tenant": caller.tenant, "experiment": row, "challenger": "B", "at": now,
        }  # fmt: skip
        pairs = [
            Judgement(
                sample=ids.new(), kind="pair", half_points=points, is_consistent=consistent,
                task=task, model="llama-3.3-70b", rival="gpt-4.1", **common,
            )
            for points, count in outcomes.items()
            for _ in range(count)
        ]  # fmt: skip
        pairs.append(Judgement(sample=ids.new(), kind="canary", right=right, **common))
        Judgement.objects.for_tenant(caller.tenant).bulk_create(pairs)
        changes.record(labels.KIND, tenant=caller.tenant.pk)
    return row


def test_judged_pairs_reach_auto_of_their_tenant_and_task(caller: Caller) -> None:
    settle_on(caller, good_enough=0.85)
    assert first(caller)["measured"] is None
    assert f"{first(caller)['provider']}/{first(caller)['model']}" != CHEAP

    judge(caller, {1: 60, 0: 4})
    wait_for(lambda: first(caller)["measured"] is not None, "labels are known", seconds=10)

    told = first(caller)
    assert f"{told['provider']}/{told['model']}" == CHEAP
    assert told["reasons"] == ["good_enough"]
    assert told["measured"]["against"] == "gpt-4.1"
    assert told["measured"]["win_or_tie"] > 0.85
    answer = send(caller, CHAT, asked("Hello there"))
    assert answer.headers["x-flo2-reason"] == "good_enough"
    assert answer.headers["x-flo2-provider"] == "groq"
    call, _ = books.last(caller)
    assert (call.task, call.reason, call.strategy) == ("chat", "good_enough", "balanced")
    assert first(caller, "def f(x): return x  # what does this python function do?")[
        "measured"
    ] is None  # fmt: skip


def test_labels_move_the_quality_that_balanced_goes_by(caller: Caller) -> None:
    settle_on(caller)
    quality = {one["model"]: one["quality"] for one in explained(caller)}

    judge(caller, {2: 80})

    wait_for(lambda: explained(caller)[0]["provider"] == "groq", "labels are known", seconds=10)
    learned = {one["model"]: one["quality"] for one in explained(caller)}
    assert learned["llama-3.3-70b-versatile"] > quality["llama-3.3-70b-versatile"]
    assert explained(caller)[0]["reasons"] == ["balanced"]


def explained(caller: Caller) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = send(caller, EXPLAIN, asked("Hello")).json()["candidates"]
    return found


@pytest.mark.parametrize(
    "doubt",
    [{"mode": "live"}, {"consistent": False}, {"right": 3}],
    ids=["another mode", "decides by order", "falls for canaries"],
)
def test_what_does_not_count(caller: Caller, doubt: dict[str, Any]) -> None:
    judge(caller, {1: 60}, **doubt)

    with tenant_scope(caller.tenant.pk):
        known = labels.read(caller.tenant.pk, datetime.now(UTC))

    assert "test" not in known


def test_a_stranger_learns_nothing(caller: Caller) -> None:
    judge(caller, {1: 60})
    stranger = new_caller(caller.gateway, "stranger@example.org")
    with tenant_scope(stranger.tenant.pk):
        assert labels.read(stranger.tenant.pk, datetime.now(UTC)) == {}


def test_old_labels_fade_and_those_of_a_deleted_experiment_are_gone(caller: Caller) -> None:
    row = judge(caller, {1: 60})
    later = datetime.now(UTC) + timedelta(days=60)
    with tenant_scope(caller.tenant.pk):
        assert labels.read(caller.tenant.pk, later)["test"].labels["chat"] == pytest.approx(
            30, 0.02
        )
        lab.delete(row, actor=audit.SYSTEM)
        assert labels.read(caller.tenant.pk, later) == {}


def test_a_users_score_teaches_and_later_calls_carry_their_task(caller: Caller) -> None:
    def scored() -> str:
        answer = send(caller, CHAT, {**asked("Translate: hello"), "model": CHEAP})
        call = answer.headers["x-flo2-call-id"]
        send(caller, "/v1/feedback", {"call_id": call, "score": -1})
        return call

    scored()
    assert books.last(caller)[0].task == ""  # nothing was to be learned yet

    def has_task() -> bool:
        send(caller, CHAT, asked("Translate: hello"))
        return bool(books.last(caller)[0].task == "translate")

    wait_for(has_task, "calls carry their task", seconds=10)
    scored()

    with tenant_scope(caller.tenant.pk):
        told = labels.told(caller.tenant.pk, "test", datetime.now(UTC))
        key = gateway_keys.issue_management_key(caller.tenant, name="ops", actor=audit.SYSTEM)
    assert {(one.task, one.pairs, one.scores) for one in told} == {("translate", 0, 1), ("", 0, 1)}
    with caller.gateway.client(key.reveal()) as http:
        listed = http.get("/api/v1/reports/labels?mode=test").json()["results"]
    assert {one["class"] for one in listed} == {"translate", None}
    assert [one["models"][0]["model"] for one in listed] == ["llama-3.3-70b"] * 2


def test_labels_are_read_once_and_again_only_after_a_change(caller: Caller) -> None:
    send(caller, EXPLAIN, asked("Hello"))
    held = labels._held[caller.tenant.pk]
    for number in range(5):
        send(caller, CHAT, asked(f"Hello {number}"))
    assert labels._held[caller.tenant.pk] is held
    assert held.scorers == {}  # the shared one serves

    judge(caller, {1: 30})

    def is_read_again() -> bool:
        send(caller, EXPLAIN, asked("Hello"))
        return labels._held[caller.tenant.pk] is not held

    wait_for(is_read_again, "labels are read again", seconds=10)
    assert set(labels._held[caller.tenant.pk].scorers) == {"test"}
