"""Which host does a task of the timetable now: two hosts do not do it twice."""

from django.db import models


class TaskLease(models.Model):
    name = models.CharField(max_length=60, primary_key=True)
    holder = models.CharField(max_length=100)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} until {self.until}"
