"""`manage.py sync_catalog`: the catalogue beside the providers' own lists of models.

Prints a unified diff of the catalogue files for review; `--write` keeps it. The key for a list is
taken from FLO2_SYNC_KEY_<SLUG>; public lists need none.
"""

import asyncio
import difflib
import os
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.secret import Secret
from routing.providers import loader, syncing
from routing.providers.loader import CatalogProblem
from routing.providers.spec import Provider
from routing.providers.syncing import NotAList, Refreshed
from routing.upstream import client, endpoints, failures
from routing.upstream.client import CannotReach


class NotAsked(Exception):
    """Why a provider's list could not be had."""


class Command(BaseCommand):
    help = "Show what is new or gone at the providers, as a diff of the catalogue files."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--provider", help="one provider's slug; else all that can be asked")
        parser.add_argument(
            "--from", dest="file", type=Path, help="a saved answer instead of asking"
        )
        parser.add_argument("--write", action="store_true", help="change the files")
        parser.add_argument("--folder", type=Path, default=loader.FOLDER, help="of the files")

    def handle(self, *args: Any, **options: Any) -> None:
        slug, file, folder = options["provider"], options["file"], options["folder"]
        if file and not slug:
            raise CommandError("--from needs --provider: whose list is it?")
        try:
            providers = loader.load_all(folder)
        except CatalogProblem as problem:
            raise CommandError(str(problem)) from None
        if slug and slug not in providers:
            raise CommandError(f"There is no provider {slug}; known: {', '.join(providers)}.")
        if slug and providers[slug].has_own_url:
            raise CommandError(f"{slug}: it is reached where its tenants say, there is no list.")
        if wrong := next(endpoints.override_problems(list(providers)), None):
            raise CommandError(wrong)
        for provider in [providers[slug]] if slug else providers.values():
            if provider.has_own_url:
                continue
            try:
                body = file.read_bytes() if file else _ask(provider)
                self._compare(provider, body, folder, write=options["write"])
            except (NotAsked, NotAList, CatalogProblem, OSError) as problem:
                if slug:
                    raise CommandError(f"{provider.slug}: {problem}") from None
                self.stderr.write(f"{provider.slug}: {problem}")

    def _compare(self, provider: Provider, body: bytes, folder: Path, *, write: bool) -> None:
        path = folder / f"{provider.slug}.toml"
        before = path.read_text()
        listed, is_complete = syncing.read(body, provider.listing)
        if not listed:
            raise NotAList("the list is empty")
        after = syncing.refresh(before, provider, listed, is_complete=is_complete)
        loader.read(after.text, provider.slug)  # the diff must be a catalogue file, too
        self.stdout.write(_diff(path.name, before, after), ending="")
        self.stderr.write(
            f"{provider.slug}: {len(listed)} listed, {len(after.new)} new,"
            f" {len(after.vanished)} gone"
        )
        if write and after.text != before:
            path.write_text(after.text)


def _ask(provider: Provider) -> bytes:
    """The provider's list as it answers it. Raises NotAsked."""
    variable = f"FLO2_SYNC_KEY_{provider.slug.upper()}"
    key = os.environ.get(variable, "")
    if not key and not provider.listing.is_public:
        raise NotAsked(f"set {variable} to a key of {provider.label}")
    if not key.isascii():
        raise NotAsked(f"{variable} is no key of a provider: it has letters beyond ASCII")
    secret = Secret(key) if key else None
    request = client.ask(provider, endpoints.live(provider), provider.listing.path, secret)
    try:
        fetched = asyncio.run(request)
    except CannotReach as problem:
        raise NotAsked(str(problem)) from None
    if fetched.status != 200:
        failure = failures.classify(fetched.status, fetched.headers, fetched.body)
        raise NotAsked(f"answered {fetched.status}: {failure.message}")
    return fetched.body


def _diff(name: str, before: str, after: Refreshed) -> str:
    place = f"routing/providers/catalog/{name}"
    return "".join(
        difflib.unified_diff(
            before.splitlines(keepends=True),
            after.text.splitlines(keepends=True),
            f"a/{place}",
            f"b/{place}",
        )
    )
