"""Corrections: what an attempt costs after all. Rows are added; settled rows never change."""

from django.db import models

from accounts import ids
from accounts.tenancy import TenantOwned
from billing.models.fields import UsdField


class Correction(TenantOwned):
    """A new cost of an attempt, under another price; the one with the highest sequence rules."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    call_id = models.UUIDField()
    number = models.SmallIntegerField()  # of the attempt
    sequence = models.SmallIntegerField()  # 1 for the first correction of an attempt
    was = UsdField(null=True)  # null: there was no price
    cost = UsdField()
    change = UsdField()  # of what the books add up: from nothing where there was no price
    price = models.TextField()  # JSON of billing.pricing.Price
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=254)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "call_id", "number", "sequence"], name="correction_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.call_id} {self.number}: {self.cost}"
