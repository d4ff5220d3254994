"""Who changed what: an append-only list per tenant, each row hashed over the row before it."""

from django.db import models

from accounts import ids
from accounts.tenancy import TenantOwned


class AuditEvent(TenantOwned):
    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    number = models.PositiveBigIntegerField()
    at = models.DateTimeField()
    actor = models.CharField(max_length=254)  # e-mail, key, or "operator: e-mail"
    action = models.CharField(max_length=60)
    subject = models.CharField(max_length=200, blank=True)
    details = models.JSONField(default=dict)
    previous_hash = models.BinaryField(max_length=32)
    hash = models.BinaryField(max_length=32)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "number"], name="audit_number_once"),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.action}"
