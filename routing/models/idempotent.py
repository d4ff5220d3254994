"""Calls that were made under an Idempotency-Key, for a day."""

from django.db import models

from accounts import ids
from accounts.tenancy import TenantOwned


class IdempotentCall(TenantOwned):
    """`key` and `body` are keyed hashes; the answer is kept only where content may be, sealed."""

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    key = models.BinaryField(max_length=32)  # of gateway key, endpoint and Idempotency-Key
    body = models.BinaryField(max_length=32)
    call = models.CharField(max_length=22)
    created_at = models.DateTimeField(db_index=True)
    deadline = models.DateTimeField()  # by then its call is on the books, or will never be
    ended_at = models.DateTimeField(null=True)
    is_stream = models.BooleanField()
    sealed = models.BinaryField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "key"], name="idempotent_call_once"),
        ]

    def __str__(self) -> str:
        return f"call_{self.call}"
