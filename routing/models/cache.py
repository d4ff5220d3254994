"""Kept answers of a tenant that has switched caching on: sealed, and gone when their time is up."""

from django.db import models

from accounts import ids
from accounts.tenancy import TenantOwned


class CachedAnswer(TenantOwned):
    """`key` is the keyed fingerprint of a request; what was asked cannot be read from it."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    key = models.BinaryField(max_length=32)
    sealed = models.BinaryField()
    size = models.PositiveIntegerField()  # bytes that count towards the tenant's share
    lineage = models.UUIDField()  # of the gateway key that asked
    policy = models.CharField(max_length=64, blank=True)  # of the call that was answered
    created_at = models.DateTimeField()
    used_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "key"], name="cached_answer_once"),
        ]
        indexes = [
            models.Index(fields=["tenant", "used_at"], name="cached_answer_by_use"),
        ]

    def __str__(self) -> str:
        return f"cached answer {self.pk}"
