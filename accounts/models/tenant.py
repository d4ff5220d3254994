"""A tenant: the account that owns keys, calls and money limits; and who belongs to it."""

from django.db import models

from accounts import ids
from accounts.models.user import User
from accounts.roles import Role
from accounts.tenancy import TenantOwned


class Tenant(models.Model):
    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    name = models.CharField(max_length=100)
    created_at = models.DateTimeField(auto_now_add=True)
    suspended_at = models.DateTimeField(null=True, blank=True)
    suspended_reason = models.CharField(max_length=300, blank=True)
    sealed_data_key = models.BinaryField(editable=False)
    first_keys_shown_at = models.DateTimeField(null=True, blank=True, editable=False)
    first_live_call_at = models.DateTimeField(null=True, blank=True, editable=False)
    # The operator's limits; none where there is no number.
    most_keys = models.PositiveIntegerField(null=True, blank=True)
    most_members = models.PositiveIntegerField(null=True, blank=True)
    key_requests_per_minute = models.PositiveIntegerField(null=True, blank=True)
    deleting_since = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-created_at", "id"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_suspended(self) -> bool:
        return self.suspended_at is not None


class Membership(TenantOwned):
    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "user"], name="membership_once"),
            models.CheckConstraint(
                condition=models.Q(role__in=Role.values), name="membership_role"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.role}"
