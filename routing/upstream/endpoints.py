"""Where a provider is reached: the catalogue's address, the operator's, or the sandbox."""

import os
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from django.conf import settings

from routing.errors import SandboxAway
from routing.providers import overrides
from routing.providers.spec import Provider
from routing.upstream.connection import Origin

DEFAULT_PORTS = {"http": 80, "https": 443}


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
    override = os.environ.get(f"FLO2_PROVIDER_{provider.slug.upper()}_BASE_URL", "")
    if override:
        return _endpoint(override, guarded=False)
    return _endpoint(overrides.base_url(provider.slug) or provider.base_url, guarded=True)


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
