"""One row per call, one per attempt at a provider.

Nothing points here by foreign key, and nothing here points elsewhere but to the tenant: on
PostgreSQL both tables are partitioned by range of the time-ordered id.
"""

from django.db import models

from accounts.tenancy import TenantOwned
from billing.models.fields import UsdField


class UsageColumns(models.Model):
    """The buckets of `billing.usage.Usage`."""

    input_uncached = models.BigIntegerField(default=0)
    cache_read = models.BigIntegerField(default=0)
    cache_write_5m = models.BigIntegerField(default=0)
    cache_write_1h = models.BigIntegerField(default=0)
    output_visible = models.BigIntegerField(default=0)
    reasoning = models.BigIntegerField(default=0)
    audio_in = models.BigIntegerField(default=0)
    audio_out = models.BigIntegerField(default=0)
    image_in = models.BigIntegerField(default=0)
    usage_source = models.CharField(max_length=9, default="none")

    class Meta:
        abstract = True


class Call(TenantOwned, UsageColumns):
    # Not indexed by itself: every index of the table begins with the tenant.
    tenant = models.ForeignKey(
        "accounts.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False
    )
    id = models.UUIDField(primary_key=True)
    created_at = models.DateTimeField()
    mode = models.CharField(max_length=4)
    purpose = models.CharField(max_length=6)
    endpoint = models.CharField(max_length=20)
    requested_model = models.CharField(max_length=200)
    provider = models.CharField(max_length=40)
    model = models.CharField(max_length=200)
    policy = models.CharField(max_length=64)
    policy_version = models.IntegerField(null=True)
    strategy = models.CharField(max_length=12)
    reason = models.CharField(max_length=60)
    status = models.CharField(max_length=9)
    http_status = models.SmallIntegerField(null=True)
    error_code = models.CharField(max_length=60)
    finish_reason = models.CharField(max_length=40)
    stream = models.BooleanField()
    cache = models.CharField(max_length=4)
    attempts = models.SmallIntegerField()
    cost = UsdField(null=True)
    cost_status = models.CharField(max_length=9)
    saved = UsdField()
    latency_ms = models.IntegerField()
    first_token_ms = models.IntegerField(null=True)
    overhead_us = models.IntegerField()
    project_id = models.UUIDField(null=True)
    gateway_key_id = models.UUIDField(null=True)
    tags = models.JSONField()
    session = models.CharField(max_length=256)
    input_estimate = models.BigIntegerField(default=0)
    expected_cost = UsdField(null=True)
    deadline = models.DateTimeField()
    experiment = models.CharField(max_length=50, db_default="")  # exp_…/arm
    task = models.CharField(max_length=12, db_default="")  # the kind of work; empty if not looked

    class Meta:
        indexes = [
            models.Index(fields=["tenant", "mode", "-id"], name="call_of_tenant"),
            models.Index(
                fields=["id"],
                condition=models.Q(status="open"),
                name="call_open",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.status}"


class Attempt(TenantOwned, UsageColumns):
    # Not indexed by itself: every index of the table begins with the tenant.
    tenant = models.ForeignKey(
        "accounts.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False
    )
    pk = models.CompositePrimaryKey("call_id", "number")
    call_id = models.UUIDField()
    number = models.SmallIntegerField()
    provider = models.CharField(max_length=40)
    model = models.CharField(max_length=200)
    provider_key_id = models.UUIDField(null=True)
    role = models.CharField(max_length=8)
    outcome = models.CharField(max_length=14)
    http_status = models.SmallIntegerField(null=True)
    error_code = models.CharField(max_length=60)
    message = models.CharField(max_length=500)
    started_ms = models.IntegerField()
    first_token_ms = models.IntegerField(null=True)
    ended_ms = models.IntegerField()
    cost = UsdField(null=True)
    cost_status = models.CharField(max_length=9)
    price = models.TextField()  # JSON of billing.pricing.Price, or empty
    reported_cost = UsdField(null=True)

    class Meta:
        # The last three are small: few attempts are in them.
        indexes = [
            models.Index(fields=["tenant", "-call_id"], name="attempt_of_tenant"),
            models.Index(
                fields=["tenant", "call_id"],
                condition=models.Q(cost=None),
                name="attempt_unpriced",
            ),
            models.Index(
                fields=["tenant", "call_id"],
                condition=models.Q(outcome="lost"),
                name="attempt_lost",
            ),
            models.Index(
                fields=["tenant", "call_id"],
                condition=models.Q(reported_cost__isnull=False),
                name="attempt_reported",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.call_id} {self.number} {self.outcome}"
