"""`/api/v1/budgets`."""

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import ids
from accounts.errors import InvalidRequest
from accounts.models import GatewayKey, Project, Tenant
from accounts.roles import Right
from billing import budgets, money
from billing.budgets import Standing, Wish
from billing.models import Budget
from routing.api.manage import gateway_keys
from routing.api.manage.view import ManageView, StrictSerializer, now, scoped, valid

PREFIX = "bud"
TAGS = ["budgets"]
CALLS = OpenApiParameter(
    "mode", str, enum=list(budgets.CALLS), description="Whose counters: of live or test calls."
)


class Usd(serializers.DecimalField):
    """US dollars as text, exact to 10⁻¹² USD."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_digits=19, decimal_places=12, min_value=Decimal(0), **options)


class BudgetChange(StrictSerializer):
    limit_usd = Usd(required=False)
    mode = serializers.ChoiceField(["hard", "soft"], required=False)
    alert_at = serializers.ListField(child=serializers.FloatField(), required=False)


class NewBudget(BudgetChange):
    scope = serializers.ChoiceField(["tenant", "project", "key"])
    scope_id = serializers.CharField(
        required=False, help_text="The name of a project, or the id of a gateway key."
    )
    limit_usd = Usd()
    window = serializers.ChoiceField(["day", "week", "month", "total"])


class Raise(StrictSerializer):
    by_usd = Usd(help_text="So much more than the limit; 0 ends a raise.")
    until = serializers.DateTimeField(
        required=False, help_text="The end of the window if it is not given."
    )


class BudgetShown(serializers.Serializer[Any]):
    id = serializers.CharField()
    scope = serializers.ChoiceField(["tenant", "project", "key"])
    scope_id = serializers.CharField(allow_null=True)
    scope_name = serializers.CharField(allow_null=True)
    limit_usd = serializers.CharField()
    window = serializers.ChoiceField(["day", "week", "month", "total"])
    mode = serializers.ChoiceField(["hard", "soft"])
    alert_at = serializers.ListField(child=serializers.FloatField())
    raised_by_usd = serializers.CharField(help_text="The raise in force, or 0.")
    raised_until = serializers.DateTimeField(allow_null=True)
    spent_usd = serializers.CharField()
    reserved_usd = serializers.CharField(help_text="For calls that run, and slices not spent yet.")
    remaining_usd = serializers.CharField()
    resets_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()


class BudgetList(serializers.Serializer[Any]):
    results = BudgetShown(many=True)
    next = serializers.CharField(allow_null=True)


def shown(stands: Standing) -> dict[str, Any]:
    budget, subject = stands.budget, stands.subject
    raised = stands.limit - budget.limit
    return {
        "id": ids.show(PREFIX, budget.pk),
        "scope": budget.scope,
        "scope_id": _subject_id(subject),
        "scope_name": subject.name if subject else None,
        "limit_usd": money.plain(budget.limit),
        "window": budget.window,
        "mode": budget.mode,
        "alert_at": budget.alert_at,
        "raised_by_usd": money.plain(raised),
        "raised_until": budget.raised_until if raised else None,
        "spent_usd": money.plain(stands.spent),
        "reserved_usd": money.plain(stands.leased),
        "remaining_usd": money.plain(stands.remaining),
        "resets_at": stands.resets_at,
        "created_at": budget.created_at,
    }


def _subject_id(subject: Project | GatewayKey | None) -> str | None:
    if isinstance(subject, GatewayKey):
        return ids.show(gateway_keys.PREFIX, subject.pk)
    return subject.name if subject else None


def find(tenant: Tenant, budget: str) -> Budget:
    try:
        wanted = ids.read(PREFIX, budget)
    except ids.InvalidId:
        wanted = ids.new()
    rows = Budget.objects.for_tenant(tenant).select_related("project", "tenant")
    return rows.named("budget", pk=wanted)


def subject_of(tenant: Tenant, scope: str, name: str | None) -> Project | GatewayKey | None:
    """What a budget is for. Raises InvalidRequest, NotFound."""
    if scope == "tenant":
        if name:
            raise InvalidRequest("A budget of the tenant has no scope_id.", param="scope_id")
        return None
    if not name:
        raise InvalidRequest(f"scope_id must name the {scope}.", param="scope_id")
    if scope == "project":
        return Project.objects.for_tenant(tenant).named("project", name=name)
    return gateway_keys.find(tenant, name)


class _BudgetView(ManageView):
    rights = {
        "GET": Right.VIEW,
        "POST": Right.MANAGE_ROUTING,
        "PATCH": Right.MANAGE_ROUTING,
        "DELETE": Right.MANAGE_ROUTING,
    }

    def calls(self, request: Request) -> str:
        """Whose counters to show. Raises InvalidRequest."""
        mode = request.query_params.get("mode", "live")
        if mode not in budgets.CALLS:
            raise InvalidRequest("mode must be live or test.", param="mode")
        return mode

    def show(self, request: Request, budget: Budget, *, status: int = 200) -> Response:
        stands = budgets.standing(budget, calls=self.calls(request), now=now())
        return Response(shown(stands), status=status)


class Budgets(_BudgetView):
    @extend_schema(operation_id="list_budgets", parameters=[CALLS], responses=BudgetList, tags=TAGS)
    @scoped
    def get(self, request: Request) -> Response:
        found = budgets.standings(self.manager.tenant, calls=self.calls(request), now=now())
        return Response({"results": [shown(one) for one in found], "next": None})

    @extend_schema(request=NewBudget, responses={201: BudgetShown}, tags=TAGS)
    @scoped
    def post(self, request: Request) -> Response:
        """Create a budget; what its window has cost so far counts, a total begins now."""
        fields = valid(NewBudget, request)
        wish = Wish(
            subject=subject_of(self.manager.tenant, fields["scope"], fields.get("scope_id")),
            limit=fields["limit_usd"],
            window=fields["window"],
            **{name: fields[name] for name in ("mode", "alert_at") if name in fields},
        )
        made = budgets.create(self.manager.tenant, wish, actor=self.manager.actor, now=now())
        return self.show(request, made, status=201)


class BudgetDetail(_BudgetView):
    @extend_schema(parameters=[CALLS], responses=BudgetShown, tags=TAGS)
    @scoped
    def get(self, request: Request, budget: str) -> Response:
        return self.show(request, find(self.manager.tenant, budget))

    @extend_schema(request=BudgetChange, responses=BudgetShown, tags=TAGS)
    @scoped
    def patch(self, request: Request, budget: str) -> Response:
        """Another limit, mode or thresholds: in force within a second."""
        fields = valid(BudgetChange, request)
        changed = budgets.change(
            find(self.manager.tenant, budget),
            limit=fields.get("limit_usd"),
            mode=fields.get("mode"),
            alert_at=fields.get("alert_at"),
            actor=self.manager.actor,
            now=now(),
        )
        return self.show(request, changed)

    @extend_schema(responses={204: None}, tags=TAGS)
    @scoped
    def delete(self, request: Request, budget: str) -> Response:
        budgets.remove(find(self.manager.tenant, budget), actor=self.manager.actor)
        return Response(status=204)


class RaiseBudget(_BudgetView):
    @extend_schema(request=Raise, responses=BudgetShown, tags=TAGS)
    @scoped
    def post(self, request: Request, budget: str) -> Response:
        """Allow more for a while; the limit itself stays."""
        fields = valid(Raise, request)
        raised = budgets.raise_for_a_while(
            find(self.manager.tenant, budget),
            by=fields["by_usd"],
            until=fields.get("until"),
            actor=self.manager.actor,
            now=now(),
        )
        return self.show(request, raised)
