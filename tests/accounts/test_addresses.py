"""Whose address counts when proxies stand in between."""

import pytest
from pytest_django import Settings

from accounts import addresses

PROXIES = ["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"]


def client_of(peer: str, *forwarded: str) -> str:
    headers = [(b"host", b"flo2"), *((b"x-forwarded-for", value.encode()) for value in forwarded)]
    return addresses.client_of(peer, headers)


def test_without_trusted_proxies_the_header_is_nothing(settings: Settings) -> None:
    settings.FLO2_TRUSTED_PROXIES = []

    assert client_of("10.0.0.1", "203.0.113.9") == "10.0.0.1"


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("198.51.100.1", ["203.0.113.9"], "198.51.100.1"),  # a stranger says so
        ("10.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.1", ["1.1.1.1, 203.0.113.9"], "203.0.113.9"),  # the caller made up the first
        ("10.0.0.1", ["1.1.1.1", "203.0.113.9"], "203.0.113.9"),  # in two headers
        ("10.0.0.1", ["1.1.1.1, 203.0.113.9, 10.2.3.4"], "203.0.113.9"),
        ("10.0.0.1", ["203.0.113.9, 192.0.2.7, 2001:db8::1"], "203.0.113.9"),
        ("2001:db8::5", ["2606:4700::1"], "2606:4700::1"),
        ("::ffff:10.0.0.1", ["203.0.113.9"], "203.0.113.9"),  # a socket of both families
        ("10.0.0.1", ["203.0.113.9, ::ffff:10.0.0.2"], "203.0.113.9"),
        ("10.0.0.1", [], "10.0.0.1"),
        ("10.0.0.1", ["", " , ,"], "10.0.0.1"),
        ("10.0.0.1", ["10.9.9.9"], "10.0.0.1"),  # nobody but proxies
        ("10.0.0.1", ["203.0.113.9, unknown"], "unknown"),  # fits no network
        ("", ["203.0.113.9"], ""),
    ],
)
def test_the_client_is_the_last_address_that_is_no_proxy_of_ours(
    settings: Settings, peer: str, forwarded: list[str], client: str
) -> None:
    settings.FLO2_TRUSTED_PROXIES = PROXIES

    assert client_of(peer, *forwarded) == client


def test_bytes_that_are_no_text_do_no_harm(settings: Settings) -> None:
    settings.FLO2_TRUSTED_PROXIES = PROXIES

    client = addresses.client_of("10.0.0.1", [(b"x-forwarded-for", b"\xff\xfe, \x00")])

    assert client == "\x00"


def seen(peer: str, **headers: str) -> tuple[str, list[bytes]]:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = addresses.seen_through({"client": (peer, 4711), "headers": pairs})
    return scope["client"][0], [name for name, _ in scope["headers"]]


def test_pages_see_the_client_behind_a_proxy_and_believe_nobody_else(settings: Settings) -> None:
    settings.FLO2_TRUSTED_PROXIES = PROXIES
    told = {"x_forwarded_for": "203.0.113.9", "x_forwarded_proto": "https"}

    assert seen("10.0.0.1", **told) == ("203.0.113.9", [b"x-forwarded-for", b"x-forwarded-proto"])
    assert seen("198.51.100.1", **told) == ("198.51.100.1", [b"x-forwarded-for"])
    assert seen("10.0.0.1", x_forwarded_for="no address")[0] == "10.0.0.1"
