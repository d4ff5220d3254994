"""What a credential begins with decides what the provider says of it: key checks rehearsed."""

import pytest

from routing.upstream import failures
from routing.upstream.failures import FailureKind
from tests.routing.sandbox.server import Sandbox
from tests.routing.sandbox.speakers import ALL, BY_NAME
from tests.routing.sandbox.speaking import Json, Speaker

every_speaker = pytest.mark.parametrize("speaker", ALL, ids=str)

# The free requests by which a key can be checked (wire facts, 1.1).
CHECKS = {
    "cerebras": "/cerebras/v1/models",
    "openai": "/openai/v1/models",
    "anthropic": "/anthropic/v1/models?limit=1",
    "groq": "/groq/openai/v1/models",
    "gemini": "/gemini/v1beta/models?pageSize=1",
    "gemini compat": "/gemini/v1beta/openai/models",
    "deepinfra": "/deepinfra/v1/me",
    "mistral": "/mistral/v1/models",
    "xai": "/xai/v1/api-key",
    "openrouter": "/openrouter/api/v1/key",
}


def headers(speaker: Speaker, key: str) -> Json:
    """The speaker's headers with another key, or with none."""
    shown = {name: value for name, value in speaker.headers.items() if "key" not in name}
    shown.pop("authorization", None)
    if key:
        (name,) = speaker.headers.keys() - shown.keys()
        shown[name] = f"Bearer {key}" if name == "authorization" else key
    return shown


def kind_of(status: int, raw: bytes) -> FailureKind:
    return failures.classify(status, (), raw).kind


def ask(sandbox: Sandbox, speaker: Speaker, key: str) -> tuple[int, bytes]:
    body = speaker.body("Hi", model=speaker.model)
    answer = sandbox.post(speaker.url(), body, headers(speaker, key))
    return answer.status_code, answer.content


@every_speaker
def test_any_ordinary_key_is_taken(sandbox: Sandbox, speaker: Speaker) -> None:
    assert ask(sandbox, speaker, "whatever")[0] == 200


@every_speaker
def test_a_bad_key_is_refused_in_the_providers_words(sandbox: Sandbox, speaker: Speaker) -> None:
    status, raw = ask(sandbox, speaker, "bad-key-1234")

    assert status in {400, 401, 403}
    assert kind_of(status, raw) is FailureKind.AUTH
    assert b"bad-key-1234" not in raw


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("cerebras", 401, b"Wrong API Key"),
        ("openai", 401, b"Incorrect API key provided: ba***34"),
        ("anthropic", 401, b"invalid x-api-key"),
        ("groq", 401, b"Invalid API Key"),
        ("gemini", 400, b"API_KEY_INVALID"),
        ("gemini compat", 400, b"API key not valid"),
        ("deepinfra", 401, b"User is not authorized"),
        ("mistral", 401, b'{"detail":"Invalid API Key"}'),
        ("xai", 400, b"Incorrect API key provided"),
        ("openrouter", 401, b'"code":401'),
    ],
)
def test_bad_keys_are_told_as_the_wire_facts_say(
    sandbox: Sandbox, name: str, status: int, words: bytes
) -> None:
    got, raw = ask(sandbox, BY_NAME[name], "bad-key-1234")

    assert got == status
    assert words in raw


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("cerebras", 403, b'{"detail":"Not authenticated"}'),
        ("openai", 401, b"You didn't provide an API key"),
        ("anthropic", 401, b"x-api-key header is required"),
        ("gemini compat", 400, b"Missing or invalid Authorization header."),
        ("xai", 401, b"unauthenticated:no-credentials"),
        ("openrouter", 401, b"Missing Authentication header"),
        ("nvidia", 401, b"was missing"),
    ],
)
def test_missing_keys_are_told_as_the_wire_facts_say(
    sandbox: Sandbox, name: str, status: int, words: bytes
) -> None:
    got, raw = ask(sandbox, BY_NAME[name], "")

    assert got == status
    assert words in raw


@every_speaker
def test_a_key_without_credit_is_told_so(sandbox: Sandbox, speaker: Speaker) -> None:
    status, raw = ask(sandbox, speaker, "nocredit-1234")

    assert kind_of(status, raw) is FailureKind.BILLING


def test_anthropic_takes_its_key_in_either_header(sandbox: Sandbox) -> None:
    speaker = BY_NAME["anthropic"]
    body = speaker.body("Hi", model=speaker.model)
    version = {"anthropic-version": "2023-06-01"}

    answers = [
        sandbox.post(speaker.url(), body, {**version, **shown}).status_code
        for shown in ({"x-api-key": "k"}, {"authorization": "Bearer k"}, {})
    ]

    assert answers == [200, 200, 401]


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_a_key_check_tells_what_the_key_is(sandbox: Sandbox, name: str) -> None:
    speaker = BY_NAME[name]

    def check(key: str) -> tuple[int, bytes]:
        answer = sandbox.get(CHECKS[name], headers(speaker, key))
        return answer.status_code, answer.content

    assert check("good")[0] == 200
    assert kind_of(*check("bad-1")) is FailureKind.AUTH
    assert kind_of(*check("limited-1")) is FailureKind.PERMISSION
    if name != "openrouter":  # which tells it in the key's own record
        assert kind_of(*check("nocredit-1")) is FailureKind.BILLING


def test_openrouter_shows_in_the_keys_record_that_its_credit_is_used_up(sandbox: Sandbox) -> None:
    def left(key: str) -> float:
        answer = sandbox.get(CHECKS["openrouter"], {"authorization": f"Bearer {key}"})
        return float(answer.json()["data"]["limit_remaining"])

    assert left("good") > 0
    assert left("nocredit-1") == 0


def test_a_limited_key_still_answers_chats(sandbox: Sandbox) -> None:
    assert ask(sandbox, BY_NAME["openai"], "limited-1")[0] == 200


@pytest.mark.parametrize("path", ["/openrouter/api/v1/models", "/nvidia/v1/models"])
def test_a_public_list_proves_nothing_about_a_key(sandbox: Sandbox, path: str) -> None:
    assert sandbox.get(path, {}).status_code == 200
    assert sandbox.get(path, {"authorization": "Bearer bad-1"}).status_code == 200


def test_deepinfras_list_is_open_without_a_key_and_closed_to_a_wrong_one(sandbox: Sandbox) -> None:
    path = "/deepinfra/v1/openai/models"

    assert sandbox.get(path, {}).status_code == 200
    assert sandbox.get(path, {"authorization": "Bearer bad-1"}).status_code == 401
