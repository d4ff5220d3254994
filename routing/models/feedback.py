"""What a tenant's applications say of the answers they got."""

from django.db import models

from accounts import ids
from accounts.tenancy import TenantOwned


class Feedback(TenantOwned):
    """One row per call; the newest word counts. `call` is no foreign key: calls are partitioned."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    call = models.UUIDField()
    mode = models.CharField(max_length=4)
    provider = models.CharField(max_length=40)
    model = models.CharField(max_length=200)
    score = models.FloatField()  # from -1 to 1
    task = models.CharField(max_length=12, db_default="")  # of the call; empty if not known
    comment = models.CharField(max_length=1000, blank=True)
    tags = models.JSONField(default=list)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "call"], name="feedback_once"),
            models.CheckConstraint(
                condition=models.Q(score__gte=-1, score__lte=1), name="feedback_score"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.score:+g} for {self.call}"
