"""A member who wants the weekly report: the row is the wish."""

from django.db import models

from accounts import ids
from accounts.models import User
from accounts.tenancy import TenantOwned


class WeeklyReport(TenantOwned):
    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    sent_monday = models.DateField()  # the Monday of the last report, or of the wish's week

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "user"], name="weekly_report_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} of {self.tenant_id}"
