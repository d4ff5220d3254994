"""Lines of providers' invoices, to be held against the books."""

from django.db import models

from accounts import ids
from accounts.tenancy import TenantOwned
from billing.models.fields import UsdField


class Invoice(TenantOwned):
    """What a provider charged for a span of days: for everything, or for one model."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    provider = models.CharField(max_length=40)
    model = models.CharField(max_length=200, blank=True)  # empty: all its models
    reference = models.CharField(max_length=100, blank=True)  # the provider's number of it
    first = models.DateField()
    last = models.DateField()
    amount = UsdField()
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=254)

    class Meta:
        ordering = ["-last", "provider", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "provider", "model", "reference", "first", "last"],
                name="invoice_once",
            ),
            models.CheckConstraint(
                condition=models.Q(last__gte=models.F("first")), name="invoice_span"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.first} to {self.last}"
