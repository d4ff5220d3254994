"""The management API and its pages with bodies, numbers and addresses that nobody should send."""

import pytest
from django.test import Client

from accounts.errors import InvalidRequest
from routing import options
from tests.dashboard.conftest import World, log_in, now, owner, world
from tests.routing.test_reports_api import Api, api

__all__ = ["api", "log_in", "now", "owner", "world"]

pytestmark = pytest.mark.django_db

DEEP = "[" * 50_000 + "]" * 50_000
NUMBERS = ["²", "١", "1_0", "-1", " 1", "1" * 5000, "x", "1.0"]


@pytest.mark.parametrize(
    "body",
    [DEEP, '{"strategy": ' + DEEP + "}", "[" * 50_000, '{"a":' * 5000, "nonsense", "[]", "null",
     '{"strategy": "cheapest", "targets": ["a\\u0000b"]}'],
)  # fmt: skip
@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", "policies/p"), ("POST", "gateway-keys"), ("PATCH", "settings"),
     ("POST", "policies/p/replay"), ("POST", "budgets"), ("POST", "experiments")],
)  # fmt: skip
def test_a_body_that_cannot_be_read_is_a_400(api: Api, method: str, path: str, body: str) -> None:
    answer = api.send(method, path, body)
    assert answer.status_code in {400, 404}, answer.content[:300]
    assert answer.json()["error"]["message"]


def test_json_of_a_policys_form_that_is_too_deep_is_explained(owner: Client, world: World) -> None:
    for document in (DEEP, "[" * 50_000, "{", '{"targets": ["a\\u0000b"]}'):
        path = world.path("dashboard/policies/<str:name>/")
        answer = owner.post(path, {"do": "save:json", "document": document[:50_000]})
        assert answer.status_code == 422


@pytest.mark.parametrize("number", NUMBERS)
def test_a_limit_is_a_whole_number_in_plain_digits(api: Api, number: str) -> None:
    for path in ("calls", "catalog/models"):
        answer = api.get(path, limit=number)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "limit")
    assert api.get("calls", limit="7").status_code == 200


@pytest.mark.parametrize("number", ["²", "-1", "x", "1" * 5000])
def test_an_option_in_a_header_is_a_number_in_plain_digits(number: str) -> None:
    with pytest.raises(InvalidRequest):
        options.read([(b"x-flo2-race", number.encode("latin-1", "replace"))], {})


@pytest.mark.parametrize("number", [*NUMBERS, "0", str(2**31), str(2**63)])
def test_there_is_no_version_of_such_a_number(owner: Client, world: World, number: str) -> None:
    path = world.path("dashboard/policies/<str:name>/")
    assert owner.post(path, {"roll_back": number}).status_code == 404
    owner.force_login(world.people["viewer"])
    assert owner.post(path, {"roll_back": number}).status_code == 403


@pytest.mark.parametrize(
    "path",
    ["policies/%00", "policies/a%00b/", "calls/%00", "calls?model=%00", "calls?tag=a%00",
     "calls?project=%00", "calls?provider=%00", "calls?policy=%00", "calls?cursor=%00",
     "reports/spend?group_by=%00", "catalog/models/openai/%00"],
)  # fmt: skip
def test_an_address_with_a_nul_is_a_400_of_the_api(api: Api, path: str) -> None:
    answer = api.get(path)
    assert answer.status_code == 400
    assert "NUL" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "path", ["policies/%00/", "calls/?model=%00", "costs/?what_if=%00", "audit/?actor=a%00b"]
)
def test_an_address_with_a_nul_is_a_400_of_the_pages(owner: Client, path: str) -> None:
    assert owner.get(f"/dashboard/{path}").status_code == 400
