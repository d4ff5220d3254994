"""`manage.py rotate_master_key`: wrap every tenant's data key with the first master key."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import master_keys, vault
from accounts.vault import MasterKeyProblem


class Command(BaseCommand):
    help = (
        "Wrap every tenant's data key with the first key of FLO2_MASTER_KEYS, while the gateway"
        " runs. It may be ended and run again at any time; it says which keys are no longer needed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say what is in use")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            outcome = master_keys.rewrap(apply=not options["dry_run"])
            known = vault.master_keys(settings.FLO2_MASTER_KEYS)
        except MasterKeyProblem as problem:
            raise CommandError(str(problem)) from None
        for broken in outcome.problems:
            self.stderr.write(broken)
        in_use = ", ".join(f"{count} by {key!r}" for key, count in sorted(outcome.in_use.items()))
        self.stdout.write(
            f"{outcome.wrapped} data keys wrapped anew; now wrapped: {in_use or 'none'}"
        )
        if outcome.problems:
            raise CommandError(
                f"{len(outcome.problems)} data keys do not open; keep every master key."
            )
        unused = [key for key in known.keys if key != known.sealing_id and not outcome.in_use[key]]
        if unused:
            self.stdout.write(f"No longer needed: {', '.join(unused)}")
