"""What a tenant has switched on. A tenant without a row has switched on nothing."""

from django.db import models
from django.db.models import Q

from accounts import ids
from accounts.tenancy import TenantOwned


class TenantSettings(TenantOwned):
    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    cache_enabled = models.BooleanField(default=False, db_default=False)
    store_content = models.BooleanField(default=False, db_default=False)  # as training data
    content_cap = models.PositiveIntegerField(default=1000, db_default=1000)  # calls of each mode
    retention_days = models.PositiveIntegerField(default=30, db_default=30)  # of training data
    collect = models.JSONField(default=dict)  # which calls; routing knows its fields
    content_since = models.DateTimeField(null=True)  # of calls begun before, nothing may be kept
    time_zone = models.CharField(max_length=64, default="UTC", db_default="UTC")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant"], name="tenant_settings_once"),
            models.CheckConstraint(
                condition=Q(content_cap__gte=1) & Q(retention_days__gte=1),
                name="tenant_settings_bounds",
            ),
        ]

    def __str__(self) -> str:
        return f"settings of {self.tenant_id}"
