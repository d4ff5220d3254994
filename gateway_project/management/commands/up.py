"""`manage.py up`: everything as one; `--demo` is what `make run` calls."""

import os
import sys
from tempfile import TemporaryFile
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from gateway_project import checks, demo, secrets_file
from gateway_project.supervisor import CannotStart, Supervisor


class Command(BaseCommand):
    help = "Start gateway, worker and sandbox, and keep them running until Ctrl-C or SIGTERM."
    requires_system_checks = []
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--demo",
            action="store_true",
            help="make secrets, migrate, seed a demo tenant, print its logins and a test key",
        )

    def handle(self, *args: Any, demo: bool, **options: Any) -> None:
        self._check_data_folder()
        if demo and not settings.FLO2_DEMO:
            self._again_as_demo()
        if problems := list(checks.problems()):
            raise CommandError("\n".join(problems))
        if settings.FLO2_DEMO:
            call_command("migrate", interactive=False, verbosity=0)
        self._check_migrations()
        try:
            Supervisor().run(on_ready=self._greet)
        except CannotStart as problem:
            raise CommandError(str(problem)) from None

    def _check_data_folder(self) -> None:
        folder = settings.FLO2_DATA_DIR
        try:
            with TemporaryFile(dir=folder):
                pass
        except OSError as problem:
            raise CommandError(
                f"FLO2_DATA_DIR {folder} cannot be written: {problem.strerror}."
            ) from None

    def _again_as_demo(self) -> None:
        """The demo's secrets and cookies are settings: read them in a fresh process."""
        secrets_file.make(settings.FLO2_DATA_DIR)
        os.environ["FLO2_DEMO"] = "1"
        os.execv(sys.executable, [sys.executable, "manage.py", "up", "--demo"])  # noqa: S606

    def _check_migrations(self) -> None:
        try:
            executor = MigrationExecutor(connection)
            pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
        except DatabaseError as error:
            raise CommandError(f"The database cannot be used: {error}") from None
        finally:
            connection.close()
        if pending:
            raise CommandError("The database is not up to date: run `manage.py migrate` first.")

    def _greet(self) -> None:
        host = "localhost" if settings.FLO2_HOST in {"127.0.0.1", "0.0.0.0"} else settings.FLO2_HOST  # noqa: S104
        host = f"[{host}]" if ":" in host else host
        url = settings.FLO2_PUBLIC_URL or f"http://{host}:{settings.FLO2_PORT}"
        if settings.FLO2_DEMO:
            self.stdout.write(demo.greeting(url))
        else:
            self.stdout.write(f"flo2 is ready: {url}")
        self.stdout.flush()  # into a file or a pipe, too, while we go on
        connection.close()
