"""Where a tenant is told of its budgets, and what became of each message."""

from urllib.parse import urlsplit

from django.db import models

from accounts import ids
from accounts.tenancy import TenantOwned
from billing.models.budget import Budget


class Webhook(TenantOwned):
    """An address that is told, signed with a secret of its own."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    url = models.CharField(max_length=512)
    budget = models.ForeignKey(Budget, null=True, on_delete=models.CASCADE, related_name="+")
    sealed_secret = models.BinaryField(editable=False)
    last4 = models.CharField(max_length=4, editable=False)
    enabled = models.BooleanField(default=True)
    note = models.CharField(max_length=300, blank=True)  # why it was switched off
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["created_at", "id"]

    def __str__(self) -> str:
        """Without the path: that of many receivers is a secret."""
        return urlsplit(self.url).netloc


class WebhookDelivery(TenantOwned):
    """One message to one address: the row is the queue. Every try sends the same body."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    event = models.CharField(max_length=20)
    body = models.TextField()
    tries = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(null=True)  # None: there is no other try
    delivered_at = models.DateTimeField(null=True)
    http_status = models.PositiveSmallIntegerField(null=True)  # of the last try
    problem = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(
                fields=["next_at"],
                condition=models.Q(next_at__isnull=False),
                name="webhook_delivery_due",
            ),
            models.Index(fields=["tenant", "-created_at", "-id"], name="webhook_delivery_log"),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.status}"

    @property
    def status(self) -> str:
        if self.delivered_at:
            return "delivered"
        return "waiting" if self.next_at else "failed"
