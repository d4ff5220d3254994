"""What the operator has to say to everybody, from one moment to another."""

from django.db import models
from django.db.models import F, Q

from accounts import ids
from accounts.models import User


class Level(models.TextChoices):
    INFO = "info", "Information"
    WARNING = "warning", "Warning"
    CRITICAL = "critical", "Critical"


class Announcement(models.Model):
    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    text = models.CharField(max_length=500, help_text="Plain text; addresses become links.")
    level = models.CharField(max_length=8, choices=Level.choices, default=Level.INFO)
    starts_at = models.DateTimeField("from")
    ends_at = models.DateTimeField("until", null=True, blank=True, help_text="Empty: no end.")
    is_dismissible = models.BooleanField(
        "can be dismissed", default=True, help_text="Each person for themselves."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.CharField(max_length=254, editable=False)

    class Meta:
        ordering = ["-starts_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at=None) | Q(ends_at__gt=F("starts_at")),
                name="announcement_ends_after_its_start",
                violation_error_message="It ends before it starts.",
            ),
            models.CheckConstraint(condition=Q(level__in=Level.values), name="announcement_level"),
        ]

    def __str__(self) -> str:
        return self.text[:60]


class Dismissal(models.Model):
    """Somebody has read an announcement and does not want to see it again."""

    announcement = models.ForeignKey(
        Announcement, on_delete=models.CASCADE, related_name="dismissals"
    )
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["announcement", "user"], name="dismissal_once"),
        ]

    def __str__(self) -> str:
        return f"{self.announcement_id} by {self.user_id}"
