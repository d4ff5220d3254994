"""Which parameters may be left out, how they are read in errors, and for how long."""

import dataclasses
import json
from uuid import UUID

import pytest

from routing.upstream import failures
from routing.upstream.failures import Failure, FailureKind
from routing.upstream.refused import REMEMBERED_SECONDS, Refused, named, without
from tests.routing.plan.builders import caller

TARGET = "openai/o9"
TEMPERATURE = Failure(FailureKind.PARAM, message="no", param="temperature")


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"error": {"message": "Unsupported parameter: 'temperature' is not supported with this"
                               " model.", "code": "unsupported_parameter",
                    "param": "temperature"}}, "temperature"),
        ({"error": {"message": "Unsupported value: 'top_p'", "code": "unsupported_value",
                    "param": "top_p"}}, "top_p"),
        ({"error": {"message": "property 'verbosity' is unsupported"}}, "verbosity"),
        ({"type": "error", "error": {"type": "invalid_request_error",
                                     "message": "top_k: Extra inputs are not permitted"}}, "top_k"),
        ({"type": "error", "error": {"type": "invalid_request_error",
                                     "message": "`temperature` is deprecated for this model."}},
         "temperature"),
        ({"detail": [{"loc": ["body", "seed"], "type": "extra_forbidden",
                      "msg": "Extra inputs are not permitted"}]}, "seed"),
        ({"error": {"message": "Unsupported parameter: 'tools'", "param": "tools",
                    "code": "unsupported_parameter"}}, ""),  # what is asked for must stay
        ({"error": {"message": "Invalid value", "param": "temperature"}}, ""),  # the caller's fault
    ],
)  # fmt: skip
def test_what_a_provider_refuses_is_read(body: object, name: str) -> None:
    assert named(failures.classify(400, (), json.dumps(body).encode())) == name


def test_it_is_learned_once_by_tenant_and_mode_and_for_a_day() -> None:
    now = [0.0]
    memory = Refused(clock=lambda: now[0])
    mine = caller()
    other = dataclasses.replace(mine, tenant_id=UUID(int=77))

    assert memory.learn(mine, TARGET, TEMPERATURE)
    assert not memory.learn(mine, TARGET, TEMPERATURE)
    assert memory.of(mine, TARGET) == ["temperature"]
    assert memory.of(mine, "openai/o8") == memory.of(other, TARGET) == []
    now[0] = REMEMBERED_SECONDS
    assert memory.of(mine, TARGET) == []


def test_what_is_left_out_is_told() -> None:
    body = b'{"model":"m","temperature":1,"generationConfig":{"seed":1,"topP":0.5}}'

    left, gone = without(body, ["temperature", "seed", "top_p"])

    assert json.loads(left) == {"model": "m", "generationConfig": {"topP": 0.5}}
    assert gone == ("temperature", "seed")
    assert without(left, ["temperature"]) == (left, ())
