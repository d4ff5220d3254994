"""Where a request comes from, when trusted proxies stand in between."""

from collections.abc import Iterable, MutableMapping
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

from django.conf import settings

Network = IPv4Network | IPv6Network
Scope = MutableMapping[str, Any]
EVERYWHERE: tuple[Network, ...] = (ip_network("0.0.0.0/0"), ip_network("::/0"))


def client_of(peer: str, headers: Iterable[tuple[bytes, bytes]]) -> str:
    """The address of the client: the last one in X-Forwarded-For that is no proxy of ours.

    The header is believed only from FLO2_TRUSTED_PROXIES.
    """
    proxies = _networks(tuple(settings.FLO2_TRUSTED_PROXIES))
    if not proxies or not is_in(peer, proxies):
        return peer
    chain = b",".join(value for name, value in headers if name == b"x-forwarded-for")
    for hop in reversed(chain.decode("latin-1").split(",")):
        address = hop.strip()
        if address and not is_in(address, proxies):
            return address
    return peer


def seen_through(scope: Scope) -> Scope:
    """The scope of a request to a page with its client's own address in place of a proxy's.

    What a peer that is no proxy of ours says of the scheme is left out.
    """
    proxies = _networks(tuple(settings.FLO2_TRUSTED_PROXIES))
    if not proxies:
        return scope
    peer, port = scope.get("client") or ("", 0)
    if is_in(peer, proxies):
        client = client_of(peer, scope["headers"])
        return {**scope, "client": (client if is_in(client, EVERYWHERE) else peer, port)}
    own = [pair for pair in scope["headers"] if pair[0] != b"x-forwarded-proto"]
    return {**scope, "headers": own}


def is_in(address: str, networks: tuple[Network, ...]) -> bool:
    """Whether the text is an address in one of the networks."""
    try:
        here = ip_address(address)
    except ValueError:
        return False
    if here.version == 6 and here.ipv4_mapped:  # how a socket of both families shows IPv4
        here = here.ipv4_mapped
    return any(here in network for network in networks)


@lru_cache(maxsize=4)
def _networks(cidrs: tuple[str, ...]) -> tuple[Network, ...]:
    return tuple(ip_network(cidr, strict=False) for cidr in cidrs)
