"""A project: a name that a tenant's calls are booked under."""

from django.core.validators import RegexValidator
from django.db import models

from accounts import ids
from accounts.tenancy import TenantOwned

NAME_PATTERN = r"^[a-z0-9._-]{1,64}\Z"


class Project(TenantOwned):
    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    name = models.CharField(max_length=64, validators=[RegexValidator(NAME_PATTERN)])
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="project_name_once"),
        ]

    def __str__(self) -> str:
        return self.name
