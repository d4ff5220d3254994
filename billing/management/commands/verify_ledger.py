"""`manage.py verify_ledger`: whether rows, roll-ups and budgets agree, to the last pico-dollar."""

import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import ids, members
from billing import lease_rows, verification
from billing.verification import Counted

SHOWN = 100  # differences of one tenant


class Command(BaseCommand):
    help = "Check that the books agree with themselves; exit code 1 where they do not."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", help="ten_…: only this one")
        parser.add_argument(
            "--write-off",
            metavar="HOST",
            help="first return the leases of a host that never comes back",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if host := options["write_off"]:
            written_off = lease_rows.write_off(host, Path(settings.FLO2_DATA_DIR) / "journal")
            self.stdout.write(f"{written_off} leases of {host} are returned.")
        counted, differing = Counted(), 0
        for tenant in _tenants(options["tenant"]):
            verdict = verification.verify(tenant)
            counted += verdict.counted
            differing += len(verdict.differences)
            for difference in verdict.differences[:SHOWN]:
                self.stdout.write(str(difference))
            if (more := len(verdict.differences) - SHOWN) > 0:
                self.stdout.write(f"tenant {tenant}: {more} differences more")
        self.stdout.write(
            f"{counted.calls} calls, {counted.attempts} attempts, {counted.groups} sums,"
            f" {counted.windows} budget windows: {differing} differences"
        )
        if differing:
            sys.exit(1)


def _tenants(text: str | None) -> list[Any]:
    if text is None:
        return members.tenant_ids()
    try:
        return [ids.read("ten", text)]
    except ids.InvalidId:
        raise CommandError(f"{text} is not the id of a tenant.") from None
