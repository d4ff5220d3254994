"""An invitation to a tenant. Its token is in a link that is shown or mailed once, hashed here."""

from django.db import models
from django.db.models.functions import Lower

from accounts import ids
from accounts.models.user import User
from accounts.roles import Role
from accounts.tenancy import TenantOwned


class Invitation(TenantOwned):
    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    email = models.EmailField(max_length=254)
    role = models.CharField(max_length=10, choices=Role.choices)
    digest = models.BinaryField(max_length=32, unique=True, editable=False)
    invited_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ["email", "id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "email"], name="invitation_once"),
            models.CheckConstraint(
                condition=models.Q(email=Lower("email")), name="invitation_email_lower_case"
            ),
            models.CheckConstraint(
                condition=models.Q(role__in=[Role.ADMIN, Role.MEMBER, Role.VIEWER]),
                name="invitation_role",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.email} as {self.role}"
