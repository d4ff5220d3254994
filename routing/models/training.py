"""Calls that a tenant collects as training data: sealed, capped, and gone when their time is up."""

from django.db import models

from accounts.tenancy import TenantOwned


class CollectedCall(TenantOwned):
    """`sealed` is a line of JSON in the form that chat models are fine-tuned on."""

    # Not indexed by itself: the index of the table begins with the tenant.
    tenant = models.ForeignKey(
        "accounts.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False
    )
    id = models.UUIDField(primary_key=True)  # the call's; their order is that of time
    mode = models.CharField(max_length=4)
    created_at = models.DateTimeField()  # when the call began
    endpoint = models.CharField(max_length=20)
    requested_model = models.CharField(max_length=200)
    provider = models.CharField(max_length=40)
    model = models.CharField(max_length=200)
    policy = models.CharField(max_length=64, blank=True)
    project_id = models.UUIDField(null=True)
    gateway_key_id = models.UUIDField(null=True)
    lineage = models.UUIDField(null=True)  # of the gateway key
    finish_reason = models.CharField(max_length=16)  # a word of the neutral middle
    stream = models.BooleanField()
    size = models.PositiveIntegerField()  # bytes that count towards the tenant's share
    sealed = models.BinaryField()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["tenant", "mode", "id", "size"], name="collected_by_mode"),
        ]

    def __str__(self) -> str:
        return f"collected call {self.pk}"
