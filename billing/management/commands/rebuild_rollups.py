"""`manage.py rebuild_rollups`: make hours and days anew from calls and attempts."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import ids, members
from billing import rollups, verification


class Command(BaseCommand):
    help = "Make the sums of days anew from the books. Gateways may go on meanwhile."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", help="ten_…: only this one")
        parser.add_argument("--from", dest="first", help="2026-11-01; without: from the first day")
        parser.add_argument("--to", dest="last", help="2026-11-30; without: to the last day")

    def handle(self, *args: Any, **options: Any) -> None:
        first = _day(options["first"]) or rollups.kept_since().date()
        last = _day(options["last"]) or date.max
        if datetime(first.year, first.month, first.day, tzinfo=UTC) < rollups.kept_since():
            raise CommandError(f"Calls of before {rollups.kept_since():%Y-%m-%d} are not kept.")
        rebuilt = 0
        for tenant in _tenants(options["tenant"]):
            for day in verification.days_of(tenant):
                if first <= day <= last:
                    rollups.rebuild_day(tenant, day)
                    rebuilt += 1
        self.stdout.write(f"{rebuilt} days are made anew.")


def _tenants(text: str | None) -> list[UUID]:
    if text is None:
        return members.tenant_ids()
    try:
        return [ids.read("ten", text)]
    except ids.InvalidId:
        raise CommandError(f"{text} is not the id of a tenant.") from None


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise CommandError(f"{text} is not a day such as 2026-11-20.") from None
