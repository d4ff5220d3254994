"""A provider key that its provider refuses: one row while it lasts, one mail."""

from django.db import models

from accounts import ids
from accounts.models import ProviderKey
from accounts.tenancy import TenantOwned


class KeyTrouble(TenantOwned):
    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    key = models.OneToOneField(ProviderKey, on_delete=models.CASCADE, related_name="+")
    status = models.CharField(max_length=10)
    since = models.DateTimeField()
    mailed_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.key_id} {self.status}"
