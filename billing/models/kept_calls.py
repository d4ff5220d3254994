"""Since when calls are kept one by one; of older ones only the sums remain."""

from django.db import models


class KeptCalls(models.Model):
    """One row, once calls have been dropped for their age."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    since = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="kept_calls_one_row"),
        ]

    def __str__(self) -> str:
        return f"{self.since}"
