"""Experiments as somebody has drawn them up."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from accounts.audit import SYSTEM
from accounts.models import Tenant
from accounts.tenancy import tenant_scope
from routing import lab
from routing.lab import ArmWish, Wish
from routing.models import Experiment


def draft_experiment(tenant: Tenant, *, now: datetime, **terms: Any) -> Experiment:
    """Two models and a judge of a third maker; live, unless the terms say otherwise."""
    arms = (ArmWish("A", "openai/gpt-4.1-mini"), ArmWish("B", "groq/llama-3.3-70b-versatile"))
    wish: dict[str, Any] = {
        "name": "trial",
        "arms": arms,
        "shadow_rate": 0.5,
        "judge_model": "anthropic/claude-sonnet-4-5",
        "max_judge_spend": Decimal(5),
        **terms,
    }
    with tenant_scope(tenant.pk):
        return lab.draw_up(tenant, Wish(**wish), actor=SYSTEM, now=now)


def running_experiment(tenant: Tenant, *, now: datetime, **terms: Any) -> Experiment:
    row = draft_experiment(tenant, now=now, **terms)
    with tenant_scope(tenant.pk):
        lab.start(row, actor=SYSTEM, now=now)
    return row
