"""`/dashboard/experiments/`: two ways to answer the same calls, compared honestly."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.errors import Conflict, RoleNotAllowed
from accounts.roles import Right, has_right
from accounts.vault import SealBroken
from dashboard import experiment_charts
from dashboard.decorators import TenantRequest
from dashboard.forms.experiments import ExperimentForm
from dashboard.words import Word
from routing import experiment_report, lab, policies, samples
from routing.experiment_report import RESAMPLES_ON_PAGES, Report
from routing.models import Experiment, Sample
from routing.policy_terms import WrongFields

MUCH = 1_000_000  # evidence beyond which the figure says nothing more
VERDICTS = {
    "b_better": Word("is better", "ok", "check"),
    "a_better": Word("is worse", "bad", "cross"),
    "practically_equal": Word("is as good", "info", "check"),
    "not_yet": Word("no verdict yet", "quiet", "clock"),
}
WITHHELD = {
    "judge_fails_canaries": "The judge missed pairs whose better answer is known.",
    "judge_unreliable": "The judge decides by the order of the answers too often.",
    "sample_ratio_mismatch": "Calls do not fall to the arms at the planned shares.",
    "fails_more_often": "The arm fails more often than the first one.",
}
STATUSES = {
    "draft": Word("Draft"),
    "running": Word("Running", "ok", "play"),
    "stopped": Word("Stopped", "quiet", "minus"),
}


@require_safe
def experiments_page(request: TenantRequest) -> HttpResponse:
    """All of this mode, the newest first."""
    rows = [(row, STATUSES[row.status]) for row in lab.listed(request.tenant, request.mode)]
    return render(
        request,
        "dashboard/experiments.html",
        {"experiments": rows, "can_edit": _can_edit(request)},
    )


def new(request: TenantRequest) -> HttpResponse:
    """Forecast first, then a draft."""
    names = [row.policy.name for row in policies.in_force(request.tenant)]
    form = ExperimentForm(names, request.POST or None)
    context: dict[str, Any] = {"form": form}
    status = 200
    if request.method == "POST":
        now = timezone.now()
        if form.is_valid():
            wish = form.wish(request.mode)
            try:
                if request.POST.get("do") == "save":
                    row = lab.draw_up(request.tenant, wish, actor=request.actor, now=now)
                    return redirect("experiment", row.shown_id)
                problems = lab.check(request.tenant, wish, now=now)
            except WrongFields as wrong:
                problems = wrong.by_field
            except Conflict as problem:
                messages.error(request, str(problem))
                problems = {}
            form.add_problems(problems)
            if not problems:
                context["forecast"] = lab.foresee(request.tenant, wish, now=now)
                context["warnings"] = lab.warnings(request.tenant, wish, now=now)
        status = 200 if form.is_valid() else 422
    return render(request, "dashboard/experiment_new.html", context, status=status)


def experiment(request: TenantRequest, experiment: str) -> HttpResponse:
    """One experiment: its terms and forecast, then what it shows."""
    row = lab.find(request.tenant, experiment)
    if request.method == "POST":
        return _act(request, row, timezone.now())
    context: dict[str, Any] = {
        "experiment": row,
        "status": STATUSES[row.status],
        "can_edit": _can_edit(request),
        "policy": row.policy or policies.DEFAULT,
    }
    if row.status == Experiment.Status.DRAFT:
        wish, now = lab.wish_of(row), timezone.now()
        context["arms"] = wish.arms
        context["forecast"] = lab.foresee(request.tenant, wish, now=now)
        context["warnings"] = lab.warnings(request.tenant, wish, now=now)
    else:
        report = experiment_report.of(row, resamples=RESAMPLES_ON_PAGES)
        context |= _shown(report)
        # They are content of calls: for those who may draw up an experiment that keeps them.
        if row.keeps_examples and row.is_running and _can_edit(request):
            context["examples"] = _examples(row)
    return render(request, "dashboard/experiment.html", context)


def _act(request: TenantRequest, row: Experiment, now: datetime) -> HttpResponse:
    if not _can_edit(request):
        raise RoleNotAllowed
    action, _, arm = request.POST.get("do", "").partition(":")
    try:
        if action == "start":
            lab.start(row, actor=request.actor, now=now)
            messages.success(request, f"{row.name} runs.")
        elif action == "stop":
            lab.stop(row, actor=request.actor, now=now)
            messages.success(request, f"{row.name} has stopped; its samples are erased.")
        elif action == "promote":
            saved = lab.promote(row, arm, actor=request.actor, now=now)
            number = saved.version.number
            messages.success(
                request,
                f"Arm {arm} is policy {saved.policy.name}, version {number}. Roll back below.",
            )
            return redirect("policy", saved.policy.name)
        elif action == "delete":
            lab.delete(row, actor=request.actor)
            messages.success(request, f"{row.name} is deleted.")
            return redirect("experiments")
    except Conflict as problem:
        messages.error(request, str(problem))
    return redirect("experiment", row.shown_id)


def _shown(report: Report) -> dict[str, Any]:
    challengers = len(report.pairs)
    rates: dict[str, float | None] = {report.arms[0].name: 0.5 if challengers else None}
    rates |= {one.challenger: one.tally.win_rate for one in report.pairs}
    costs = [
        (arm.name, report.split[arm.name].cost_per_call, rates[arm.name]) for arm in report.arms
    ]
    return {
        "report": report,
        "arms": [
            {
                "arm": arm,
                "its": (its := report.split[arm.name]),
                "p50": its.latency(0.5),
                "p95": its.latency(0.95),
                "first_p50": its.first_token(0.5),
                "first_p95": its.first_token(0.95),
                "deltas": report.deltas.get(arm.name),
            }
            for arm in report.arms
        ],
        "pairs": [
            {
                "pair": one,
                "word": VERDICTS[one.verdict],
                "evidence": _evidence(one.e_value),
                "withheld": [WITHHELD[code] for code in one.withheld],
                "course": experiment_charts.course(one, challengers=challengers),
            }
            for one in report.pairs
        ],
        "dots": experiment_charts.dots(costs),
        "first": report.arms[0],
    }


def _evidence(e_value: float) -> str:
    return "over a million" if e_value > MUCH else f"{e_value:,.1f}"


def _examples(row: Experiment) -> list[samples.Example]:
    """The pairs that are kept, the newest first."""
    kept = Sample.objects.for_tenant(row.tenant_id).filter(
        experiment=row, state=Sample.State.DONE, expires_at__gt=timezone.now()
    )
    found = []
    for sample in kept.exclude(content=None).order_by("-id")[:5]:
        try:
            found.append(samples.example_of(sample))
        except SealBroken:
            continue
    return found


def _can_edit(request: TenantRequest) -> bool:
    return has_right(request.membership.role, Right.MANAGE_ROUTING)
