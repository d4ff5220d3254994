"""How far a journal has been shipped; moved in the transaction that wrote its facts."""

from django.db import models


class JournalCursor(models.Model):
    name = models.CharField(max_length=200, primary_key=True)
    position = models.BigIntegerField()
    updated_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} {self.position}"
