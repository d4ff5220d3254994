"""`manage.py doctor`: what is wrong with this installation, and what to do about it."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from gateway_project import doctor
from gateway_project.health import BAD


class Command(BaseCommand):
    help = (
        "Look at settings, disk, database, keys, queue, journals, tasks and the gateway of this"
        " host. Changes nothing; ends with status 1 where something is bad."
    )
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        found = list(doctor.examine(timezone.now()))
        if options["json"]:
            shown = [{"name": one.name, "state": one.state, "told": one.told} for one in found]
            self.stdout.write(json.dumps(shown))
        else:
            for one in found:
                self.stdout.write(f"{one.state:9s} {one.name}: {one.told}")
        if bad := [one.name for one in found if one.state == BAD]:
            raise CommandError(f"Bad: {', '.join(bad)}.")
