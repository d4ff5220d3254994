"""What belongs to the installation and its operators, and to no tenant alone."""

from django.db import models

from accounts import ids
from accounts.models.user import User
from accounts.tenancy import TenantOwned


class Installation(models.Model):
    """One row: what operators decide while the installation runs."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    signup = models.CharField(max_length=6, blank=True)  # empty: as FLO2_SIGNUP says

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="installation_once"),
            models.CheckConstraint(
                condition=models.Q(signup__in=["", "open", "invite", "closed"]),
                name="installation_signup",
            ),
        ]

    def __str__(self) -> str:
        return "the installation"


class OperatorEvent(models.Model):
    """What an operator did: an append-only list, each row hashed over the row before it."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    number = models.PositiveBigIntegerField(unique=True)
    at = models.DateTimeField()
    actor = models.CharField(max_length=254)
    action = models.CharField(max_length=60)
    subject = models.CharField(max_length=300, blank=True)
    details = models.JSONField(default=dict)
    previous_hash = models.BinaryField(max_length=32)
    hash = models.BinaryField(max_length=32)

    class Meta:
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"{self.number} {self.action}"


class Impersonation(TenantOwned):
    """An operator looks at a tenant's pages, and changes nothing."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    operator = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    reason = models.CharField(max_length=300)
    started_at = models.DateTimeField()
    until = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-started_at", "id"]

    def __str__(self) -> str:
        return f"{self.operator_id} at {self.tenant_id}"
