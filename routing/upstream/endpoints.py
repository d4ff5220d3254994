"""Where a provider is reached: the catalogue's address, the operator's, or the sandbox."""

import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from django.conf import settings

from routing.errors import SandboxAway
from routing.providers import overrides
from routing.providers.spec import Provider
from routing.upstream.connection import Origin

DEFAULT_PORTS = {"http": 80, "https": 443}
_OVERRIDE = re.compile(r"FLO2_PROVIDER_(\w+)_BASE_URL\Z")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An origin, the path that stands before the provider's own, and the Host header."""

    origin: Origin
    path: bytes
    host: bytes


def live(provider: Provider, base_url: str = "") -> Endpoint:
    """Only the operator's environment may name plain http or a private address.

    `base_url` is that of the key, where the provider is a tenant's own endpoint.
    """
    if provider.has_own_url:
        return _endpoint(base_url or provider.base_url, guarded=True)
    if override := operators(provider):
        return _endpoint(override, guarded=False)
    return _endpoint(overrides.base_url(provider.slug) or provider.base_url, guarded=True)


def operators(provider: Provider) -> str:
    """The address that the operator's environment names instead of the catalogue's, or empty."""
    if provider.has_own_url:
        return ""
    return os.environ.get(f"FLO2_PROVIDER_{provider.slug.upper()}_BASE_URL", "")


def override_problems(slugs: Collection[str]) -> Iterator[str]:
    """What is wrong with the addresses that the environment names; a sentence each."""
    for name, url in sorted(os.environ.items()):
        if not url or not (found := _OVERRIDE.match(name)):
            continue
        if (slug := found[1].lower()) not in slugs:
            yield f"{name}: there is no provider {slug}, only {', '.join(sorted(slugs))}."
        elif not _is_base_url(url):
            yield f"{name} has to be a base URL such as http://127.0.0.1:9000/v1."


def _is_base_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in DEFAULT_PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def sandbox(provider: Provider) -> Endpoint:
    """The sandbox's image of a provider: its slug, then the path of its real base URL."""
    if not settings.FLO2_SANDBOX_URL:
        raise SandboxAway
    path = urlsplit(provider.base_url).path
    return _endpoint(f"{settings.FLO2_SANDBOX_URL}/{provider.slug}{path}", guarded=False)


def refusing() -> Endpoint:
    """A port of this machine that nobody listens on: what `refused` simulates."""
    return _endpoint(settings.FLO2_REFUSING_URL or "http://127.0.0.1:1", guarded=False)


def webhook(url: str) -> Endpoint:
    """Where a tenant wants to be told. Only the operator's word lets it be plain or private."""
    parts = urlsplit(url)
    guarded = f"{parts.scheme}://{parts.netloc}" not in settings.FLO2_WEBHOOK_ORIGINS
    its = _endpoint(url, guarded=guarded)
    path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
    return Endpoint(its.origin, path.encode(), its.host)


@lru_cache(maxsize=256)
def _endpoint(url: str, *, guarded: bool) -> Endpoint:
    parts = urlsplit(url.rstrip("/"))
    port = parts.port or DEFAULT_PORTS[parts.scheme]
    origin = Origin(parts.scheme, parts.hostname or "", port, guarded)
    return Endpoint(origin, parts.path.encode(), parts.netloc.rpartition("@")[2].encode())
