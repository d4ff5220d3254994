"""Filters of the calls page under a name: one person's, or the tenant's."""

from django.db import models
from django.db.models import Q

from accounts import ids
from accounts.models import User
from accounts.tenancy import TenantOwned

LONGEST_NAME = 60
LONGEST_QUERY = 1000


class SavedView(TenantOwned):
    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    name = models.CharField(max_length=LONGEST_NAME)
    query = models.CharField(max_length=LONGEST_QUERY)  # of the page's URL, mode included
    owner = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="+")
    created_by = models.CharField(max_length=254)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "owner", "name"],
                condition=Q(owner__isnull=False),
                name="saved_view_of_a_person_once",
            ),
            models.UniqueConstraint(
                fields=["tenant", "name"],
                condition=Q(owner__isnull=True),
                name="saved_view_of_all_once",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_shared(self) -> bool:
        return self.owner_id is None
