"""`manage.py train_scorer`: the scorer's weights from a file of judged pairs, once more."""

from pathlib import Path
from typing import Any

import msgspec
from django.core.management.base import BaseCommand, CommandError, CommandParser

from routing.scoring import difficulty, training


class Command(BaseCommand):
    help = "Train the scorer on a .jsonl.gz of pairs; write its weights, or check the shipped ones."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "pairs", type=Path, help="tests/fixtures/routing/routellm_pairs.jsonl.gz"
        )
        parser.add_argument("--output", type=Path, default=difficulty.FILE)
        parser.add_argument("--check", action="store_true", help="write nothing, compare")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            made = training.train(options["pairs"])
        except (OSError, EOFError, msgspec.MsgspecError, training.NoPairs) as error:
            raise CommandError(f"{options['pairs']} cannot be read: {error}") from None
        written = difficulty.written(made)
        output: Path = options["output"]
        if options["check"]:
            if output.read_bytes() != written:
                raise CommandError(f"{output} differs from what {options['pairs']} teaches.")
        else:
            output.write_bytes(written)
        self.stdout.write(f"{output.name}: {made.prompts} prompts, {len(written)} bytes")
