"""The change feed: one row per change, written in the transaction of the change."""

from django.db import models
from django.db.models.functions import Now


class Change(models.Model):
    id = models.BigAutoField(primary_key=True)
    kind = models.CharField(max_length=20)
    tenant = models.UUIDField(null=True)
    subject = models.UUIDField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="change_by_time")]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"
