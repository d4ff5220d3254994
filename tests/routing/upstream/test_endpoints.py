"""Addresses that the operator's environment names in place of the catalogue's."""

import pytest

from gateway_project import checks
from routing.providers import catalog_index
from routing.upstream import endpoints

NAME = "FLO2_PROVIDER_GROQ_BASE_URL"


def test_calls_go_where_the_operator_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "http://127.0.0.1:9000/openai/v1/")
    groq = catalog_index.current().providers["groq"]

    its = endpoints.live(groq)

    assert (its.origin.scheme, its.origin.host, its.origin.port) == ("http", "127.0.0.1", 9000)
    assert (its.path, its.origin.guarded) == (b"/openai/v1", False)
    assert list(checks.problems()) == []


@pytest.mark.parametrize(
    "url",
    [
        "localhost:9000/v1",
        "127.0.0.1:9000",
        "//127.0.0.1/v1",
        "ftp://host/v1",
        "http://",
        "http://h:x",
    ],
)
def test_an_address_that_is_none_stops_the_start_by_name(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(NAME, url)

    assert list(checks.problems()) == [
        f"{NAME} has to be a base URL such as http://127.0.0.1:9000/v1."
    ]


@pytest.mark.parametrize("slug", ["GROK", "CUSTOM"])
def test_an_address_of_a_provider_that_is_not_there_stops_the_start(
    slug: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be without effect, and calls would go to the real provider."""
    name = f"FLO2_PROVIDER_{slug}_BASE_URL"
    monkeypatch.setenv(name, "http://127.0.0.1:9000/v1")

    (problem,) = checks.problems()

    assert problem.startswith(f"{name}: there is no provider {slug.lower()}, only anthropic, ")


def test_an_empty_address_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "")

    assert list(checks.problems()) == []
