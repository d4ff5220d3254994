"""Keys of ours: gateway keys call models, management keys call the management API.

Only a keyed hash of the text is stored; the text itself is shown once.
"""

from django.db import models

from accounts import ids
from accounts.models.project import Project
from accounts.models.user import User
from accounts.tenancy import TenantOwned


class Mode(models.TextChoices):
    LIVE = "live"
    TEST = "test"


class HashedKey(TenantOwned):
    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    name = models.CharField(max_length=100)
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    last4 = models.CharField(max_length=4, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.name} …{self.last4}"

    @property
    def is_revoked(self) -> bool:
        return self.revoked_at is not None


class GatewayKey(HashedKey):
    mode = models.CharField(max_length=4, choices=Mode.choices)
    project = models.ForeignKey(Project, null=True, blank=True, on_delete=models.PROTECT)
    allowed_models = models.JSONField(null=True, blank=True)
    allowed_cidrs = models.JSONField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    lineage = models.UUIDField(default=ids.new, editable=False)  # survives a roll
    policy = models.CharField(max_length=64, blank=True, default="", db_default="")  # of routing
    requests_per_minute = models.PositiveIntegerField(null=True, blank=True)
    tokens_per_minute = models.PositiveBigIntegerField(null=True, blank=True)
    max_parallel = models.PositiveIntegerField(null=True, blank=True)  # calls at a time

    class Meta:
        ordering = ["-created_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(mode__in=Mode.values), name="gateway_key_mode"
            ),
        ]

    @property
    def shown(self) -> str:
        """What may be shown of the key: its prefix and its end."""
        return f"flo2_{self.mode}_…{self.last4}"


class ManagementKey(HashedKey):
    class Meta:
        ordering = ["-created_at", "id"]

    @property
    def shown(self) -> str:
        return f"flo2_mgmt_…{self.last4}"
