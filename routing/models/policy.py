"""A tenant's routing policies: a name, and the documents it stood for, one per version."""

from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Now

from accounts import ids
from accounts.models.project import NAME_PATTERN
from accounts.tenancy import TenantOwned


class Policy(TenantOwned):
    """A deleted one stays, so that its calls can be explained and its numbers never come again."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    name = models.CharField(max_length=64, validators=[RegexValidator(NAME_PATTERN)])
    version = models.PositiveIntegerField()  # the number of the version in force
    created_at = models.DateTimeField(db_default=Now())
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="policy_name_once"),
        ]

    def __str__(self) -> str:
        return self.name


class PolicyVersion(TenantOwned):
    """A document as it was saved. Rows are added, never changed."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    policy = models.ForeignKey(Policy, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    document = models.JSONField()
    note = models.CharField(max_length=200, blank=True)  # where it came from, if not written anew
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.CharField(max_length=254)

    class Meta:
        ordering = ["-number", "id"]
        constraints = [
            models.UniqueConstraint(fields=["policy", "number"], name="policy_version_once"),
        ]

    def __str__(self) -> str:
        return f"{self.policy_id} version {self.number}"
