"""Prices that a tenant or the operator set. Rows are added, never edited: the newest one rules."""

from django.db import models
from django.db.models.functions import Now

from accounts import ids
from accounts.tenancy import TenantOwned


class SetPrice(models.Model):
    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    provider = models.CharField(max_length=40)
    model = models.CharField(max_length=200)
    price = models.TextField()  # JSON of billing.pricing.Price
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.CharField(max_length=254)

    class Meta:
        abstract = True
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


class PriceOverride(SetPrice, TenantOwned):
    """Set by a tenant, for its own calls."""

    class Meta(SetPrice.Meta):
        indexes = [models.Index(fields=["tenant", "provider", "model"], name="price_of_tenant")]


class OperatorPrice(SetPrice):
    """Set by the operator, for all tenants that have no price of their own."""

    class Meta(SetPrice.Meta):
        indexes = [models.Index(fields=["provider", "model"], name="price_of_operator")]
