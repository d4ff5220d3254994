"""What a tenant has switched on. A tenant without a row has switched on nothing."""

from django.db import models

from accounts import ids
from accounts.tenancy import TenantOwned


class TenantSettings(TenantOwned):
    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    cache_enabled = models.BooleanField(default=False, db_default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant"], name="tenant_settings_once"),
        ]

    def __str__(self) -> str:
        return f"settings of {self.tenant_id}"
