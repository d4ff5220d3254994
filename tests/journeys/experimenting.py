"""Experiments on test calls: drawn up, called, looked into; shared by their journeys."""

from decimal import Decimal
from typing import Any

import httpx

from accounts import audit, ids
from accounts.tenancy import tenant_scope
from routing import experiments, lab, sampling
from routing.lab import ArmWish, Wish
from routing.models import Experiment, Judgement, Sample
from tests.journeys.conftest import Caller
from tests.servers.gateway import wait_for

GROQ, CEREBRAS, JUDGE = (
    "groq/llama-3.3-70b-versatile", "cerebras/gpt-oss-120b", "openai/gpt-4.1-mini",
)  # fmt: skip
CHAT = "/v1/chat/completions"


def run_experiment(caller: Caller, *, judge: str = "prefers Cerebras", **wish: Any) -> Experiment:
    """A running one of the test calls."""
    terms: dict[str, Any] = {
        "name": "duel",
        "mode": "test",
        "arms": (ArmWish("A", GROQ), ArmWish("B", CEREBRAS)),
        "assignment": "call",
        "shadow_rate": 1.0,
        "judge_model": JUDGE,
        "judge_instructions": f"sandbox judge: {judge}",
        "max_judge_spend": Decimal(5),
        **wish,
    }
    from django.utils import timezone

    now = timezone.now()
    with tenant_scope(caller.tenant.pk):
        row = lab.draw_up(caller.tenant, Wish(**terms), actor=audit.SYSTEM, now=now)
        lab.start(row, actor=audit.SYSTEM, now=now)
    wait_for(lambda: _knows(caller, row), "the gateway knows the experiment", seconds=5)
    return row


def _knows(caller: Caller, row: Experiment) -> bool:
    ask(caller, "warm up", model=GROQ)
    return any(one.id == row.pk for one in experiments.cached(caller.tenant.pk) or ())


def ask(caller: Caller, text: str, *, model: str = "auto", **sent: Any) -> httpx.Response:
    headers = sent.pop("headers", {})
    body = {"model": model, "messages": [{"role": "user", "content": text}], **sent}
    with caller.gateway.client(caller.test_key) as http:
        answer = http.post(CHAT, json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


def arm_of(answer: httpx.Response) -> str:
    return answer.headers["x-flo2-reason"].removeprefix("experiment:")


def samples_of(row: Experiment) -> list[Sample]:
    sampling.writer.flush()
    with tenant_scope(row.tenant_id):
        return list(Sample.objects.for_tenant(row.tenant_id).filter(experiment=row))


def judgements(row: Experiment, kind: str = "pair") -> list[Judgement]:
    with tenant_scope(row.tenant_id):
        found = Judgement.objects.for_tenant(row.tenant_id).filter(experiment=row, kind=kind)
        return list(found.order_by("id"))


def reread(row: Experiment) -> Experiment:
    with tenant_scope(row.tenant_id):
        return Experiment.objects.for_tenant(row.tenant_id).get(pk=row.pk)


def trusted(row: Experiment) -> None:
    """As if the judge had seen through the canaries."""
    from django.utils import timezone

    with tenant_scope(row.tenant_id):
        Judgement.objects.for_tenant(row.tenant_id).bulk_create(
            [
                Judgement(
                    tenant_id=row.tenant_id, experiment=row, sample=ids.new(), challenger="B",
                    kind="canary", at=timezone.now(), right=5,
                )
            ]
        )  # fmt: skip
