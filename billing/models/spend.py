"""Roll-ups: what was spent per hour and per day.

`SpendDelta` rows are written with the facts they sum, `rollups` adds them to the hour and the day.
A report reads both, so it is never behind the books. Each attempt counts under its own provider
and model, each call under those that served it. Tags have sums of their own, by the day: a call and
its attempts count under each of its tags.
"""

from decimal import Decimal

from django.db import models

from accounts.tenancy import TenantOwned
from billing.models.fields import UsdField

TAG_DIMENSIONS = ("mode", "tag")
DIMENSIONS = ("mode", "purpose", "provider", "model", "project_id", "gateway_key_id", "policy")
SUMS = (
    "calls",
    "succeeded",
    "failed_calls",
    "rescued",
    "cache_hits",
    "attempts",
    "failed",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "cost",
    "saved",
    "estimated",
    "unpriced_calls",
    "lost",
)


class Summed(TenantOwned):
    # Not indexed by itself: every index of the table begins with the tenant.
    tenant = models.ForeignKey(
        "accounts.Tenant", on_delete=models.CASCADE, related_name="+", db_index=False
    )
    mode = models.CharField(max_length=4)

    calls = models.BigIntegerField(default=0)
    succeeded = models.BigIntegerField(default=0)
    failed_calls = models.BigIntegerField(default=0)
    rescued = models.BigIntegerField(default=0)  # succeeded after a failed attempt
    cache_hits = models.BigIntegerField(default=0)
    attempts = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)  # attempts
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    cached_tokens = models.BigIntegerField(default=0)
    cost = UsdField(default=0)
    saved = UsdField(default=0)
    estimated = UsdField(default=0)  # the part of cost that rests on estimated usage
    unpriced_calls = models.BigIntegerField(default=0)
    lost = UsdField(default=0, db_default=Decimal(0))  # the part of cost of attempts that lost

    class Meta:
        abstract = True


class Spend(Summed):
    purpose = models.CharField(max_length=6)
    provider = models.CharField(max_length=40)
    model = models.CharField(max_length=200)
    project_id = models.UUIDField()  # zero where there is none: NULLs are never equal
    gateway_key_id = models.UUIDField()
    policy = models.CharField(max_length=64)

    class Meta:
        abstract = True


class SpendDelta(Spend):
    id = models.BigAutoField(primary_key=True)
    hour = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["tenant", "hour"], name="spend_delta_of_tenant")]

    def __str__(self) -> str:
        return f"{self.hour} {self.provider}/{self.model}"


class SpendHour(Spend):
    id = models.BigAutoField(primary_key=True)
    hour = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "hour", *DIMENSIONS], name="spend_hour_once"),
        ]

    def __str__(self) -> str:
        return f"{self.hour} {self.provider}/{self.model}"


class SpendDay(Spend):
    id = models.BigAutoField(primary_key=True)
    day = models.DateField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "day", *DIMENSIONS], name="spend_day_once"),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.provider}/{self.model}"


class TagSpend(Summed):
    tag = models.CharField(max_length=200)
    day = models.DateField()

    class Meta:
        abstract = True


class TagDelta(TagSpend):
    id = models.BigAutoField(primary_key=True)

    class Meta:
        indexes = [models.Index(fields=["tenant", "mode", "day"], name="tag_delta_of_tenant")]

    def __str__(self) -> str:
        return f"{self.day} {self.tag}"


class TagDay(TagSpend):
    id = models.BigAutoField(primary_key=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "day", *TAG_DIMENSIONS], name="tag_day_once"),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.tag}"
