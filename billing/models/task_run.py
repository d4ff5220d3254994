"""When a task of the timetable last ran, and how it went."""

from django.db import models


class TaskRun(models.Model):
    name = models.CharField(max_length=100, primary_key=True)
    host = models.CharField(max_length=100)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)  # none while it runs, or died
    error = models.CharField(max_length=300, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)  # the last time that it failed

    def __str__(self) -> str:
        return f"{self.name} at {self.started_at}"
