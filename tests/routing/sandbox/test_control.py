"""The control API of tests: faults to switch on, requests and bills to read."""

import json
import time
from typing import Any

import httpx
import pytest

from tests.routing.sandbox.server import HEADER, Sandbox
from tests.routing.sandbox.speakers import BY_NAME
from tests.routing.sandbox.speaking import KEY, Speaker

GROQ, OPENAI = BY_NAME["groq"], BY_NAME["openai"]


def post(sandbox: Sandbox, speaker: Speaker, fault: str = "", **options: Any) -> httpx.Response:
    body = speaker.body("Say hello.", model=speaker.model, **options)
    return sandbox.post(speaker.url(), body, {**speaker.headers, HEADER: fault})


def until(sandbox: Sandbox, path: str, ready: Any) -> Any:
    """What the control API says, as soon as it says what the test waits for."""
    for _ in range(100):
        found = sandbox.control("GET", path)
        if ready(found):
            return found
        time.sleep(0.02)
    pytest.fail(f"{path} never came to be: {found}")


def test_a_fault_stays_on_until_it_is_taken_off(sandbox: Sandbox) -> None:
    sandbox.control("PUT", "faults/groq", {"fault": "503", "times": None})

    statuses = [post(sandbox, GROQ).status_code for _ in range(3)]
    sandbox.control("DELETE", "faults")

    assert statuses == [503, 503, 503]
    assert post(sandbox, GROQ).status_code == 200


def test_a_fault_may_be_counted_and_is_of_one_provider(sandbox: Sandbox) -> None:
    sandbox.control("PUT", "faults/groq", {"fault": "429", "times": 2})

    assert post(sandbox, OPENAI).status_code == 200
    assert [post(sandbox, GROQ).status_code for _ in range(3)] == [429, 429, 200]


def test_a_fault_of_the_request_comes_before_one_that_is_switched_on(sandbox: Sandbox) -> None:
    sandbox.control("PUT", "faults/groq", {"fault": "429", "times": 1})

    assert post(sandbox, GROQ, "500").status_code == 500
    assert post(sandbox, GROQ).status_code == 429


@pytest.mark.parametrize("wish", [{"fault": "refused"}, {"fault": 1}, {}, {"fault": "", "x": 1}])
def test_a_wish_that_makes_no_sense_is_refused(sandbox: Sandbox, wish: Any) -> None:
    answer = sandbox.client.put("/_control/faults/groq", json=wish)

    assert answer.status_code == 400


def test_requests_are_recorded_with_masked_credentials(sandbox: Sandbox) -> None:
    body = GROQ.body("Say hello.", model=GROQ.model)
    headers = {**GROQ.headers, "x-api-key": "second-secret-9876", "x-mine": "yes"}
    sandbox.post(f"{GROQ.url()}?a=b", body, headers)
    post(sandbox, OPENAI)

    (found,) = sandbox.control("GET", "requests?slug=groq")["requests"]

    assert (found["method"], found["path"], found["query"]) == ("POST", GROQ.url(), "a=b")
    assert found["body"] == body
    assert found["headers"]["authorization"] == f"Bearer …{KEY[-4:]}"
    assert found["headers"]["x-api-key"] == "…9876"
    assert found["headers"]["x-mine"] == "yes"
    used = {"authorization": True, "x-api-key": True, "x-goog-api-key": False}
    assert found["credential_headers"] == used
    assert KEY not in json.dumps(sandbox.control("GET", "requests"))


def test_records_can_be_forgotten(sandbox: Sandbox) -> None:
    post(sandbox, GROQ)

    sandbox.control("DELETE", "requests")

    assert sandbox.control("GET", "requests") == {"requests": []}
    assert sandbox.control("GET", "billed") == {"billed": []}


def test_a_finished_answer_is_billed_by_the_id_in_its_body(sandbox: Sandbox) -> None:
    answer = post(sandbox, GROQ).json()

    (bill,) = sandbox.control("GET", "billed")["billed"]
    assert answer["id"] == f"chatcmpl-{bill['id']}"
    assert bill == {
        "id": bill["id"],
        "slug": "groq",
        "model": GROQ.model,
        "input_tokens": answer["usage"]["prompt_tokens"],
        "output_tokens": answer["usage"]["completion_tokens"],
        "finished": True,
    }


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_a_finished_stream_is_billed_as_a_whole_answer_is(sandbox: Sandbox, name: str) -> None:
    speaker = BY_NAME[name]
    for stream in (False, True):
        body = speaker.body("Use the tool.", model=speaker.thinker, stream=stream, tool=True)
        url = speaker.url(stream=stream, model=speaker.thinker)
        sandbox.post(url, body, speaker.headers).raise_for_status()

    whole, streamed = sandbox.control("GET", "billed")["billed"]

    assert whole["output_tokens"] == streamed["output_tokens"] > 0
    assert streamed["finished"] is True


@pytest.mark.parametrize("fault", ["429", "500", "reset", "garbage"])
def test_a_failed_exchange_is_not_billed(sandbox: Sandbox, fault: str) -> None:
    try:
        post(sandbox, GROQ, fault)
    except httpx.ReadError:
        assert fault == "reset"

    assert sandbox.control("GET", "billed") == {"billed": []}


def test_a_cut_stream_is_billed_for_what_was_written(sandbox: Sandbox) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        post(sandbox, GROQ, "cut@5", stream=True)

    (bill,) = sandbox.control("GET", "billed")["billed"]
    assert (bill["output_tokens"], bill["finished"]) == (5, False)


def test_a_client_that_leaves_is_noticed_and_billed_for_what_was_written(sandbox: Sandbox) -> None:
    body = GROQ.body("Write 5000 words.", model=GROQ.model, stream=True)
    with (
        httpx.Client(base_url=sandbox.url, trust_env=False) as client,
        client.stream("POST", GROQ.url(), json=body, headers=GROQ.headers) as answer,
    ):
        blocks = answer.iter_raw()
        while b'"content":"[' not in next(blocks):
            pass
        assert sandbox.control("GET", "open")["open"] == 1

    found = until(sandbox, "open", lambda state: state["open"] == 0)

    (aborted,) = found["aborted"]
    (bill,) = sandbox.control("GET", "billed")["billed"]
    assert aborted["slug"] == "groq"
    assert 0 < aborted["closed_after_ms"] < 3000
    assert aborted["id"] == bill["id"]
    assert bill["finished"] is False
    assert 0 < bill["output_tokens"] < 4000


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_a_stalled_exchange_ends_when_its_client_leaves(sandbox: Sandbox, stream: bool) -> None:
    body = GROQ.body("Hi", model=GROQ.model, stream=stream)
    headers = {**GROQ.headers, HEADER: "stall"}
    with (
        httpx.Client(base_url=sandbox.url, trust_env=False, timeout=0.2) as client,
        pytest.raises(httpx.ReadTimeout),
    ):
        client.post(GROQ.url(), json=body, headers=headers)

    found = until(sandbox, "open", lambda state: state["open"] == 0)

    assert len(found["aborted"]) == 1
    assert sandbox.control("GET", "billed") == {"billed": []}


def test_a_client_that_leaves_before_the_first_token_is_billed_nothing(sandbox: Sandbox) -> None:
    body = GROQ.body("Hi", model=GROQ.model)
    headers = {**GROQ.headers, HEADER: "slow@2000"}
    with (
        httpx.Client(base_url=sandbox.url, trust_env=False, timeout=0.1) as client,
        pytest.raises(httpx.ReadTimeout),
    ):
        client.post(GROQ.url(), json=body, headers=headers)

    found = until(sandbox, "open", lambda state: state["open"] == 0)

    assert found["aborted"][0]["closed_after_ms"] < 1000
    assert sandbox.control("GET", "billed") == {"billed": []}
