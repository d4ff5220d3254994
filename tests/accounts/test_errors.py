"""Every error we show has a status, a code and a way out, and the tree on top is true."""

import re

import pytest

from accounts import errors
from accounts.errors import GatewayError

CONTRACT = {
    "InvalidRequest": (400, "invalid_request"),
    "UnknownOption": (400, "unknown_option"),
    "InvalidApiKey": (401, "invalid_api_key"),
    "TenantSuspended": (403, "tenant_suspended"),
    "KeyExpired": (403, "key_expired"),
    "AddressNotAllowed": (403, "address_not_allowed"),
    "RoleNotAllowed": (403, "role_not_allowed"),
    "NotFound": (404, "not_found"),
    "Conflict": (409, "conflict"),
    "Unavailable": (503, "overloaded"),
}
FIELDS = {"kind": "policy", "expired_at": "2026-11-20", "address": "192.0.2.1"}


def test_the_tree_in_the_documentation_is_the_tree_in_the_code() -> None:
    drawn = re.findall(r"(\w+) +(\d{3}) (\w+)", errors.__doc__ or "")
    ours = {
        name: value
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, GatewayError) and value is not GatewayError
    }

    assert {name: (int(status), code) for name, status, code in drawn} == CONTRACT
    assert {name: (value.status, value.code) for name, value in ours.items()} == CONTRACT


@pytest.mark.parametrize("name", CONTRACT)
def test_the_text_of_an_error_is_whole_sentences(name: str) -> None:
    error = getattr(errors, name)(**FIELDS)
    if name in {"InvalidRequest", "UnknownOption", "Conflict"}:
        error = getattr(errors, name)("The name is taken.", **FIELDS)

    assert str(error).endswith(".")
    assert "{" not in str(error)
    assert str(error)[0].isupper()


def test_only_an_error_that_may_pass_says_when_to_come_back() -> None:
    assert errors.Unavailable().retry
    assert errors.Unavailable().headers == {"retry-after": "1"}
    assert not errors.InvalidApiKey().retry
    assert errors.InvalidApiKey().headers == {}


def test_a_refused_request_names_the_field() -> None:
    error = errors.UnknownOption("There is no x-flo2-magic.", param="x-flo2-magic")

    assert (error.http_status, error.error_code) == (400, "unknown_option")
    assert error.details == {"param": "x-flo2-magic"}
    assert errors.NotFound(kind="policy").details == {}
