"""A tenant's key at a provider, sealed. `provider` is a plain slug: no migration per provider."""

from django.db import models

from accounts import ids
from accounts.tenancy import TenantOwned


class KeyStatus(models.TextChoices):
    UNVERIFIED = "unverified"
    VALID = "valid"
    LIMITED = "limited"
    NO_CREDIT = "no_credit"
    INVALID = "invalid"


class ProviderKey(TenantOwned):
    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    provider = models.CharField(max_length=40)
    label = models.CharField(max_length=100, blank=True)
    sealed_secret = models.BinaryField(editable=False)
    last4 = models.CharField(max_length=4, editable=False)
    weight = models.PositiveIntegerField(default=1)
    enabled = models.BooleanField(default=True)
    base_url = models.CharField(max_length=512, blank=True)  # of a custom provider
    status = models.CharField(
        max_length=10, choices=KeyStatus.choices, default=KeyStatus.UNVERIFIED
    )
    status_reason = models.CharField(max_length=300, blank=True)
    models_found = models.PositiveIntegerField(null=True, blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["provider", "created_at", "id"]
        indexes = [models.Index(fields=["tenant", "provider"], name="provider_key_of_tenant")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(weight__gte=1, weight__lte=1000), name="provider_key_weight"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} …{self.last4}"
