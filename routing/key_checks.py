"""Ask a provider whether a pasted key works: a free request, read as the catalogue says."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from accounts import provider_keys
from accounts.models import ProviderKey
from accounts.models.provider_key import KeyStatus
from accounts.secret import Secret
from routing.providers import catalog_index, overrides
from routing.providers.spec import Provider
from routing.upstream import client, endpoints, failures
from routing.upstream.client import CannotReach, Fetched
from routing.upstream.failures import FailureKind


@dataclass(frozen=True)
class Finding:
    """What a check says of a key."""

    status: KeyStatus
    reason: str = ""
    models_found: int | None = None


_BY_KIND = {
    FailureKind.AUTH: KeyStatus.INVALID,
    FailureKind.BILLING: KeyStatus.NO_CREDIT,
    FailureKind.PERMISSION: KeyStatus.LIMITED,
}


def ask(key: ProviderKey, secret: Secret) -> Finding:
    """Ask the provider of a key about it, at the address in force. Not within a transaction."""
    provider = catalog_index.current().providers.get(key.provider)
    if provider is None:
        return Finding(KeyStatus.UNVERIFIED, f"The provider {key.provider} is not offered here")
    overrides.load_shared()
    return asyncio.run(check(provider, secret, base_url=key.base_url))


async def check(provider: Provider, secret: Secret, *, base_url: str = "") -> Finding:
    """Ask the provider. What cannot be asked now stays `unverified`."""
    how = provider.key_check
    try:
        endpoint = endpoints.live(provider, base_url)
        fetched = await client.ask(provider, endpoint, how.path, secret, how.body)
    except CannotReach as problem:
        return Finding(KeyStatus.UNVERIFIED, str(problem))
    return read(provider, fetched)


def read(provider: Provider, fetched: Fetched) -> Finding:
    """The meaning of an answer to a key check."""
    if fetched.status != 200:
        return _read_refusal(provider, fetched)
    try:
        content = msgspec.json.decode(fetched.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Finding(KeyStatus.UNVERIFIED, f"{provider.label} answered something unreadable")
    rules = provider.key_check
    for field in rules.blocked_if:
        if _at(content, field) is True:
            return Finding(KeyStatus.INVALID, f"{provider.label} says: {field} is true")
    credit = _at(content, rules.credit_in) if rules.credit_in else None
    if isinstance(credit, int | float) and credit <= 0:
        return Finding(KeyStatus.NO_CREDIT, f"{provider.label}: the key's credit is used up")
    listed = _at(content, "data") if rules.lists_models else None
    return Finding(KeyStatus.VALID, models_found=len(listed) if isinstance(listed, list) else None)


def _read_refusal(provider: Provider, fetched: Fetched) -> Finding:
    failure = failures.classify(fetched.status, fetched.headers, fetched.body)
    status = _BY_KIND.get(failure.kind, KeyStatus.UNVERIFIED)
    if failure.kind is FailureKind.RATE_LIMIT:  # it is throttled, so it is known
        status = KeyStatus.VALID
    if status is KeyStatus.UNVERIFIED and fetched.status in provider.key_check.works_on:
        return Finding(KeyStatus.VALID)
    return Finding(status, f"{provider.label}: {failure.message}")


def record(key: ProviderKey, finding: Finding, *, now: datetime) -> ProviderKey:
    """Keep the finding; a check that could not be made leaves an older verdict alone."""
    if finding.status == KeyStatus.UNVERIFIED and key.status != KeyStatus.UNVERIFIED:
        return key
    return provider_keys.record_check(
        key,
        status=finding.status,
        now=now,
        reason=finding.reason,
        models_found=finding.models_found,
    )


def hint_for(provider: str, secret: Secret) -> str:
    """A question for somebody who pasted a key whose prefix is another provider's; else empty."""
    providers = catalog_index.current().providers.values()
    text = secret.reveal()
    fitting = [p for p in providers if p.key_prefix and text.startswith(p.key_prefix)]
    if not fitting:
        return ""
    likeliest = max(fitting, key=lambda p: len(p.key_prefix))
    if likeliest.slug == provider:
        return ""
    return f"This looks like a key of {likeliest.label}; save it there?"


def _at(content: Any, path: str) -> Any:
    """The value at a dotted path, or None."""
    for name in path.split("."):
        if not isinstance(content, dict):
            return None
        content = content.get(name)
    return content
