"""The SSRF corpus: where we may connect, and where we never do."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from routing.upstream import guard

CORPUS = Path(__file__).parents[2] / "fixtures" / "ssrf" / "corpus.jsonl"
BY_URL = {
    "ipv4-form", "ipv6-embed", "port", "name-internal", "parser-confusion", "scheme",
    "ipv6-special", "syntax", "control",
}  # fmt: skip


def rows(classes: set[str]) -> Iterator[Any]:
    for line in CORPUS.read_text().splitlines():
        row = json.loads(line)
        if row["class"] in classes:
            yield pytest.param(row, id=row["id"])


async def addresses_with(answers: list[str], host: str) -> list[str]:
    """Resolve as if the name server gave these answers."""

    class Loop:
        async def getaddrinfo(self, *_: object, **__: object) -> list[Any]:
            if not answers:
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return [
                (socket.AF_INET6 if ":" in a else socket.AF_INET, 1, 6, "", (a, 443))
                for a in answers
            ]

    return await guard.checked_addresses(Loop(), host, 443)


def host_of(row: dict[str, Any]) -> str:
    return str(row["url"]).split("/")[2]


@pytest.mark.parametrize("row", rows(BY_URL))
async def test_a_url_is_refused_or_allowed_when_it_is_saved(row: dict[str, Any]) -> None:
    if row["expect"] == "allow":
        assert guard.check_url(row["url"]) == row["url"]
        return
    with pytest.raises(guard.AddressRefused):
        guard.check_url(row["url"])
        # A name may be a full one and still point inside: then its resolution tells.
        await addresses_with(row["resolver"], host_of(row))


@pytest.mark.parametrize("row", rows({"dns-static"}))
async def test_a_name_that_points_inside_is_refused_at_every_connect(row: dict[str, Any]) -> None:
    answers = row["resolver"]
    with pytest.raises(OSError, match=r"\w"):
        await addresses_with(answers if isinstance(answers, list) else [], host_of(row))


@pytest.mark.parametrize("flips", [1, 2, 3])
async def test_a_name_that_changes_its_mind_never_reaches_an_inner_address(flips: int) -> None:
    public, private = ["93.184.215.14"], ["127.0.0.1"]
    for answers in [public, private, [*public, *private]] * flips:
        if answers == public:
            assert await addresses_with(answers, "rebind.attacker.example.com") == public
        else:
            with pytest.raises(guard.AddressRefused):
                await addresses_with(answers, "rebind.attacker.example.com")


async def test_an_operators_override_may_be_a_private_address() -> None:
    assert "127.0.0.1" in await guard.addresses("127.0.0.1", 80, guarded=False)
