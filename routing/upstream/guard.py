"""Where we may connect. Asked when an address is saved and again at every connect.

Providers' names come from the catalogue and custom ones from tenants; either resolves to public
addresses only, and the connection goes to the very address that was checked. The standard
library's `is_global` had 134 of 608 rows of our corpus wrong, hence lists of our own
(IANA special-purpose registries, read 2026-11-20).
"""

import asyncio
import re
import socket
from collections.abc import Awaitable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Protocol
from urllib.parse import urlsplit

RESOLVE_SECONDS = 3.0
MOST_ADDRESSES = 64
LONGEST_URL = 512
PORTS = frozenset({443, 8443})

_DENIED_V4 = [
    ip_network(block)
    for block in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24",
        "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15",
        "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32",
    )
]  # fmt: skip
_GLOBAL_V6 = ip_network("2000::/3")
_DENIED_V6 = [
    ip_network(block)
    for block in (
        "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "2620:4f:8000::/48",
    )
]  # fmt: skip
_PRIVATE_NAMES = frozenset(
    {
        "localhost", "local", "internal", "lan", "corp", "home", "intranet", "private", "onion",
        "test", "example", "invalid", "arpa", "localdomain",
    }
)  # fmt: skip
_LABEL = re.compile(r"^(?!-)[a-z0-9-]{1,63}(?<!-)\Z")
_NUMERIC = re.compile(r"^(?:[0-9]+|0x[0-9a-f]*)\Z")
_DOTTED_QUAD = re.compile(r"^(?:0|[1-9][0-9]{0,2})(?:\.(?:0|[1-9][0-9]{0,2})){3}\Z")
_ODD = re.compile(r"[\x00-\x20\x7f-\U0010ffff\\%@?#]")


# Where a tenant names an address of its own: how a private one is reached.
BY_THE_OPERATOR = (
    "A server of this machine or a private network is named by the operator alone, as another"
    " provider's address: FLO2_PROVIDER_<SLUG>_BASE_URL=http://…"
)


class AddressRefused(OSError):
    """The URL or address is not one that a provider of the public internet has."""


class NotPublic(AddressRefused):
    """It may be right, but not for a tenant to name: no https, another port, a private host."""


def check_base_url(url: str) -> str:
    """Like `check_url`; the sentence also says who may name an address that is not public."""
    try:
        return check_url(url)
    except NotPublic as refused:
        raise NotPublic(f"{refused} {BY_THE_OPERATOR}") from None


def check_url(url: str) -> str:
    """A base URL that a tenant may save, as it is. Raises AddressRefused with a sentence."""
    if len(url) > LONGEST_URL or _ODD.search(url):
        raise AddressRefused("The URL must be plain ASCII of at most 512 characters.")
    try:
        parts = urlsplit(url)
        port = 443 if parts.port is None else parts.port
    except ValueError:
        raise AddressRefused("The URL cannot be read.") from None
    if parts.scheme != "https":
        raise NotPublic("The URL must start with https://.")
    if port not in PORTS:
        raise NotPublic("The port must be 443 or 8443.")
    if ("[" in parts.netloc) != (":" in (parts.hostname or "")):
        raise AddressRefused("Only IPv6 addresses are written in brackets.")
    check_host(parts.hostname or "")
    return url


def check_host(host: str) -> None:
    """Refuse hosts that cannot be public. Raises AddressRefused."""
    if ":" in host or _DOTTED_QUAD.match(host):
        try:
            check_address(ip_address(host))
        except ValueError:
            raise AddressRefused("The address is not written as one.") from None
        return
    labels = host.lower().removesuffix(".").split(".")
    if len(labels) < 2 or not all(_LABEL.match(label) for label in labels):
        raise NotPublic("The host must be a full domain name.")
    if _NUMERIC.match(labels[-1]) or labels[-1] in _PRIVATE_NAMES:
        raise NotPublic("The host is not one of the public internet.")
    if host.lower().endswith("metadata.goog"):
        raise NotPublic("The host is not one of the public internet.")


def check_address(address: IPv4Address | IPv6Address) -> None:
    """Refuse addresses that are not of the public internet. Raises AddressRefused."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            check_address(address.ipv4_mapped)
            return
        allowed = address in _GLOBAL_V6 and not any(address in block for block in _DENIED_V6)
    else:
        allowed = not any(address in block for block in _DENIED_V4)
    if not allowed:
        raise NotPublic(f"{address} is not an address of the public internet.")


class Resolver(Protocol):
    """The part of an event loop that looks names up."""

    def getaddrinfo(self, host: str, port: int, *, type: int) -> Awaitable[list[Any]]: ...  # noqa: A002


async def addresses(host: str, port: int, *, guarded: bool) -> list[str]:
    """The addresses of a host, all of them checked if `guarded`. Raises OSError."""
    loop: Resolver = asyncio.get_running_loop()
    if guarded:
        return await checked_addresses(loop, host, port)
    return await _resolved(loop, host, port)


async def checked_addresses(resolver: Resolver, host: str, port: int) -> list[str]:
    """The public addresses of a host. Raises AddressRefused.

    One bad address among several refuses the host: a name that also points inside is no provider's.
    """
    check_host(host)
    found = await _resolved(resolver, host, port)
    if len(found) > MOST_ADDRESSES:
        raise AddressRefused(f"{host} has more than {MOST_ADDRESSES} addresses.")
    for text in found:
        check_address(ip_address(text.partition("%")[0]))
    return found


async def _resolved(resolver: Resolver, host: str, port: int) -> list[str]:
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            found = await resolver.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError:
        raise OSError("the name server did not answer") from None
    return list(dict.fromkeys(str(row[4][0]) for row in found))
