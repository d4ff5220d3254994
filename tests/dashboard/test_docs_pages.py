"""What the documentation promises is what the code does."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from accounts.errors import GatewayError
from accounts.roles import Role
from dashboard.error_codes import ERROR_CODES
from dashboard.pages.docs import TOPICS
from gateway_project import limits  # noqa: F401  its errors are told to callers, too
from routing.execution import exhausted
from routing.simulation import FAULTS
from tests.dashboard.conftest import LogIn, World
from tests.dashboard.reading import text

NOT_OF_THE_GATEWAY_API = {"role_not_allowed", "conflict", "internal_error"}


def all_errors(root: type[GatewayError] = GatewayError) -> Iterator[type[GatewayError]]:
    yield root
    for branch in root.__subclasses__():
        yield from all_errors(branch)


def test_every_code_that_a_caller_can_meet_is_explained() -> None:
    told = {error.code for error in all_errors() if error.__module__.split(".")[0] != "tests"}
    told |= {code for _, code in exhausted._ENDS.values()}
    explained = {one.code for one in ERROR_CODES}

    assert told - explained - NOT_OF_THE_GATEWAY_API == set()


def test_every_code_of_the_page_has_an_anchor(client: Client) -> None:
    page = client.get("/docs/errors/").content.decode()

    assert re.findall(r'<section class="error-code" id="([a-z_]+)"', page) == [
        one.code for one in ERROR_CODES
    ]


def test_codes_stand_once_and_in_order_of_their_status() -> None:
    assert len({one.code for one in ERROR_CODES}) == len(ERROR_CODES)
    assert [one.status for one in ERROR_CODES] == sorted(one.status for one in ERROR_CODES)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.slug)
def test_each_topic_is_a_page(topic: Any, client: Client) -> None:
    answer = client.get(f"/docs/{topic.slug}/")

    assert answer.status_code == 200
    assert topic.title in text(answer)


def test_an_unknown_topic_is_not_found(client: Client) -> None:
    assert client.get("/docs/nothing/").status_code == 404


def test_snippets_hold_the_address_that_the_reader_used(client: Client) -> None:
    page = text(client.get("/docs/quickstart/", headers={"host": "localhost:8123"}))

    assert page.count("http://localhost:8123/v1") == 4


def test_snippets_hold_the_public_address_where_the_operator_names_one(
    client: Client, settings: Any
) -> None:
    settings.FLO2_PUBLIC_URL = "https://llm.example.org"

    assert "https://llm.example.org/v1" in text(client.get("/docs/quickstart/"))


def test_a_reader_with_keys_sees_which_one_is_meant(world: World, log_in: LogIn) -> None:
    page = text(log_in(world.owner).get("/docs/quickstart/"))

    assert "flo2_live_…" in page
    assert f"ending in {world.key.last4}" in page


def test_a_viewer_sees_no_key(world: World, log_in: LogIn) -> None:
    page = text(log_in(world.people[Role.VIEWER]).get("/docs/quickstart/"))

    assert world.key.last4 not in page


def test_every_fault_is_listed(client: Client) -> None:
    page = client.get("/docs/testing/").content.decode()

    assert {fault for fault in FAULTS if f"<code>{fault}</code>" in page} == FAULTS
