"""What the operator and tenants add to the catalogue: models, and addresses of providers."""

from django.db import models
from django.db.models.functions import Now

from accounts import ids
from accounts.tenancy import TenantOwned


class DescribedModel(models.Model):
    """A model at a provider. Where a field is empty, the catalogue's word stands."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    provider = models.CharField(max_length=40)
    model = models.CharField(max_length=200)
    family = models.CharField(max_length=200, blank=True)
    kind = models.CharField(max_length=10, blank=True)
    context = models.PositiveIntegerField(null=True, blank=True)
    output = models.PositiveIntegerField(null=True, blank=True)
    can = models.JSONField(null=True, blank=True)  # a list of capabilities
    reasons = models.BooleanField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.CharField(max_length=254)

    class Meta:
        abstract = True
        ordering = ["provider", "model", "id"]

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


class TenantModel(DescribedModel, TenantOwned):
    """Described by a tenant, for its own calls."""

    class Meta(DescribedModel.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "provider", "model"], name="model_of_tenant_once"
            )
        ]


class OperatorModel(DescribedModel):
    """Described by the operator, for all tenants."""

    class Meta(DescribedModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["provider", "model"], name="model_of_operator_once")
        ]


class OperatorBaseUrl(models.Model):
    """Where the operator wants a provider to be reached, on the public internet."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    provider = models.CharField(max_length=40, unique=True)
    base_url = models.CharField(max_length=512)
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.CharField(max_length=254)

    class Meta:
        ordering = ["provider", "id"]

    def __str__(self) -> str:
        return f"{self.provider}: {self.base_url}"
