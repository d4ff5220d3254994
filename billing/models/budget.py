"""Budgets: limits on money, what counts against them in each window, and who holds slices.

A window's `leased` is the sum of its leases, always: money that a gateway process may spend without
asking again. `spent + leased` never exceeds a hard limit, save by what a provider charged beyond
the worst case.
"""

from decimal import Decimal
from typing import Any, cast

from django.db import models

from accounts import ids
from accounts.models import Project
from accounts.models.gateway_key import Mode
from accounts.tenancy import TenantOwned
from billing.models.fields import UsdField


def _amount(**options: Any) -> "models.Field[Decimal, Decimal]":
    """A column of US dollars that is never null."""
    return cast("models.Field[Decimal, Decimal]", UsdField(**options))


class Scope(models.TextChoices):
    TENANT = "tenant"
    PROJECT = "project"
    KEY = "key"


class BudgetMode(models.TextChoices):
    HARD = "hard"
    SOFT = "soft"


class WindowKind(models.TextChoices):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    TOTAL = "total"


class Budget(TenantOwned):
    """A limit on what a tenant, a project or a key spends, for live calls and test calls apart."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    scope = models.CharField(max_length=7, choices=Scope.choices)
    project = models.ForeignKey(Project, null=True, on_delete=models.CASCADE, related_name="+")
    lineage = models.UUIDField(null=True)  # of a gateway key: a budget survives a roll
    limit = _amount()
    window = models.CharField(max_length=5, choices=WindowKind.choices)
    mode = models.CharField(max_length=4, choices=BudgetMode.choices)
    alert_at = models.JSONField(default=list)  # shares of the limit, rising
    raised_by = _amount(default=0)
    raised_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(scope="tenant", project=None, lineage=None)
                | models.Q(scope="project", project__isnull=False, lineage=None)
                | models.Q(scope="key", project=None, lineage__isnull=False),
                name="budget_scope",
            ),
            models.CheckConstraint(
                condition=models.Q(window__in=WindowKind.values), name="budget_window"
            ),
            models.CheckConstraint(
                condition=models.Q(mode__in=BudgetMode.values), name="budget_mode"
            ),
            models.CheckConstraint(
                condition=models.Q(limit__gte=0, raised_by__gte=0), name="budget_limit"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.window} {self.mode}"


class BudgetWindow(TenantOwned):
    """What counts against a budget from one moment to another, of live calls or of test calls."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="windows")
    calls = models.CharField(max_length=4, choices=Mode.choices)
    starts_at = models.DateTimeField()
    spent = _amount(default=0)
    leased = _amount(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["budget", "calls", "starts_at"], name="budget_window_once"
            ),
            models.CheckConstraint(condition=models.Q(leased__gte=0), name="budget_window_leased"),
        ]

    def __str__(self) -> str:
        return f"{self.budget_id} {self.calls} {self.starts_at}"


class Lease(TenantOwned):
    """A slice of a window in the hands of one gateway process."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    window = models.ForeignKey(BudgetWindow, on_delete=models.CASCADE, related_name="leases")
    holder = models.CharField(max_length=120)  # its journal's name: host-pid-start
    folder = models.CharField(max_length=32)  # where that journal lies
    amount = _amount()

    class Meta:
        indexes = [models.Index(fields=["folder", "holder"], name="lease_of_holder")]
        constraints = [
            models.UniqueConstraint(fields=["window", "holder"], name="lease_once"),
            models.CheckConstraint(condition=models.Q(amount__gte=0), name="lease_amount"),
        ]

    def __str__(self) -> str:
        return f"{self.holder} {self.amount}"


class BudgetAlert(TenantOwned):
    """A threshold that a window has reached: once. The row is the outbox of mail and webhooks."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    window = models.ForeignKey(BudgetWindow, on_delete=models.CASCADE, related_name="alerts")
    percent = models.PositiveIntegerField()
    spent = _amount()
    limit = _amount()
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)  # by mail
    announced_at = models.DateTimeField(null=True)  # to webhooks

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["window", "percent"], name="budget_alert_once"),
        ]
        indexes = [
            models.Index(
                fields=["created_at"], condition=models.Q(sent_at=None), name="budget_alert_waiting"
            ),
            models.Index(
                fields=["created_at"],
                condition=models.Q(announced_at=None),
                name="budget_alert_unannounced",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.percent} % of {self.window_id}"
