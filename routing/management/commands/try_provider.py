"""`manage.py try_provider SLUG`: whether a provider answers as its catalogue file says."""

import asyncio
import getpass
import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.errors import GatewayError
from accounts.models.provider_key import KeyStatus
from accounts.secret import Secret
from billing import money
from routing import trying
from routing.providers import catalog_index
from routing.providers.catalog_index import Offer
from routing.providers.spec import Provider
from routing.trying import Trial
from routing.upstream import endpoints

MOST_MODELS = 5  # where none is named: they cost money
WORKS = (KeyStatus.VALID, KeyStatus.LIMITED)


class Command(BaseCommand):
    help = (
        "Check a key with its provider, then ask each named model one short question, whole and"
        " streamed; prints time, tokens and cost. The key is FLO2_SYNC_KEY_<SLUG>, else asked for."
        " --sandbox asks the sandbox of a running installation (FLO2_SANDBOX_URL) instead."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("provider", help="its slug")
        parser.add_argument("--model", action="append", default=[], help="may be given again")
        parser.add_argument("--sandbox", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        slug, is_sandboxed = options["provider"], options["sandbox"]
        known = catalog_index.current().providers
        if slug not in known:
            raise CommandError(f"There is no provider {slug}; known: {', '.join(known)}.")
        provider = known[slug]
        if problem := next(endpoints.override_problems(list(known)), None):
            raise CommandError(problem)
        offers = [_offer(provider, name) for name in options["model"]] or _usual(provider)
        secret = Secret("sandbox-try") if is_sandboxed else _key(provider)
        try:
            endpoint = endpoints.sandbox(provider) if is_sandboxed else None
            failed = asyncio.run(self._run(provider, offers, secret, endpoint))
        except GatewayError as problem:
            raise CommandError(str(problem)) from None
        if failed:
            raise CommandError(f"{failed} of {2 * len(offers) + 1} trials failed.")

    async def _run(
        self, provider: Provider, offers: list[Offer], secret: Secret, endpoint: Any
    ) -> int:
        """How many trials failed."""
        finding = await trying.check(provider, secret, endpoint=endpoint)
        failed = int(finding.status not in WORKS)
        found = "" if finding.models_found is None else f", {finding.models_found} models"
        self.stdout.write(f"key: {finding.status}{found} {finding.reason}".rstrip())
        async for trial in trying.each(offers, secret, endpoint=endpoint):
            failed += bool(trial.problem)
            self.stdout.write(_line(trial))
        return failed


def _offer(provider: Provider, name: str) -> Offer:
    found = catalog_index.current().find(provider.slug, name)
    return found or Offer(provider, name, None)


def _usual(provider: Provider) -> list[Offer]:
    """The first few models for chat."""
    chat = [model for model in provider.models if model.kind == "chat"]
    return [Offer(provider, model.id, model) for model in chat[:MOST_MODELS]]


def _key(provider: Provider) -> Secret:
    name = f"FLO2_SYNC_KEY_{provider.slug.upper()}"
    text = os.environ.get(name, "")
    if not text and sys.stdin.isatty():
        text = getpass.getpass(f"Key of {provider.label}: ").strip()
    if not text or not text.isascii():
        raise CommandError(f"Set {name} to a key of {provider.label}, which is ASCII.")
    return Secret(text)


def _line(trial: Trial) -> str:
    how = "streamed" if trial.stream else "whole"
    start = f"{'FAILED' if trial.problem else 'ok':6s} {trial.model} {how} {trial.seconds:.2f} s"
    if trial.problem:
        return f"{start}: {trial.problem}"
    used = trial.usage
    tokens = f"{used.input_tokens} → {used.output_tokens} tokens" if used else "no usage told"
    cost = "no price" if trial.cost is None else f"{money.plain(trial.cost)} USD"
    told = "" if trial.reported_cost is None else f" (told: {money.plain(trial.reported_cost)})"
    adapted = f", adapted: {', '.join(trial.adapted)}" if trial.adapted else ""
    return f"{start}, {tokens}, {cost}{told}{adapted}"
