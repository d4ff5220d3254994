"""`manage.py check_providers`: the catalogue files, and whether their models have prices."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from routing.providers import loader, prices
from routing.providers.loader import CatalogProblem
from routing.providers.spec import Provider


class Command(BaseCommand):
    help = "Validate the catalogue; with --prices list the chat models that have no price."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--prices", action="store_true")
        parser.add_argument("--folder", type=Path, default=loader.FOLDER, help="of the files")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            providers = loader.load_all(options["folder"])
        except CatalogProblem as problem:
            raise CommandError(str(problem)) from None
        for provider in providers.values():
            unpriced = _unpriced(provider)
            choosable = [name for name in unpriced if name in _auto(provider)]
            if choosable:
                raise CommandError(
                    f"{provider.slug}: {', '.join(choosable)}: a model that `auto` may choose"
                    " needs a price"
                )
            self.stdout.write(
                f"{provider.slug}: {len(provider.models)} models, {len(unpriced)} without a price"
            )
            if options["prices"]:
                self.stdout.writelines(f"  {name}\n" for name in unpriced)


def _unpriced(provider: Provider) -> list[str]:
    today = datetime.now(UTC).date()
    chat = (model.id for model in provider.models if model.kind == "chat")
    return [name for name in chat if prices.listed(provider.slug, name, today=today) is None]


def _auto(provider: Provider) -> set[str]:
    return {model.id for model in provider.models if model.auto}
