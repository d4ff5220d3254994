"""Keys of any origin are taken out of provider messages and logs; ordinary words stay."""

import io
import logging
import sys

import pytest
from pytest_django import Settings

from accounts import tokens
from accounts.secret import ScrubbingFilter, scrub

RANDOM = "Ab0Cd1Ef2Gh3Ij4Kl5Mn6Op7Qr8St9Uv"  # 32 characters, as DeepInfra and Mistral give out

KEYS = {
    "cerebras": "csk-" + RANDOM.lower(),
    "openai": "sk-" + RANDOM,
    "openai project": "sk-proj-" + RANDOM + "_" + RANDOM + "-" + RANDOM,
    "anthropic": "sk-ant-api03-" + RANDOM + "-" + RANDOM + "AA",
    "groq": "gsk_" + RANDOM,
    "gemini": "AIzaSy" + RANDOM + "-_",
    "deepinfra": RANDOM,
    "mistral": RANDOM[::-1],
    "xai": "xai-" + RANDOM + RANDOM,
    "openrouter": "sk-or-v1-" + RANDOM.lower() + RANDOM.lower(),
    "nvidia": "nvapi-" + RANDOM + "_" + RANDOM,
    "flo2 live": tokens.make("live"),
    "flo2 test": tokens.make("test"),
    "flo2 management": tokens.make("mgmt"),
}
ECHOES = ["sk-ab***yz", "xa***yz", "sk-proj-****************WXYZ", "gsk_****abcd", "AIza…WXYZ"]
AROUND = ["{}", "Incorrect API key provided: {} (see …)", '{{"key":"{}"}}', "?key={}&alt=sse"]
AROUND += ["x-api-key: {}\r\n", "\\n{}\\n", "b'{}'", "({})", "api_key={}"]


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("name", KEYS)
def test_no_part_of_a_key_survives(name: str, around: str) -> None:
    key = KEYS[name]
    scrubbed = scrub(around.format(key))

    assert "[key removed]" in scrubbed
    assert not any(key[place : place + 8] in scrubbed for place in range(4, len(key) - 8))


@pytest.mark.parametrize("around", [a for a in AROUND if "\\n" not in a])
@pytest.mark.parametrize("echo", ECHOES)
def test_a_masked_echo_of_a_key_is_removed_whole(echo: str, around: str) -> None:
    assert scrub(around.format(echo)) == around.format("[key removed]")


@pytest.mark.parametrize(
    "header", ["Bearer abc.def-123", "Bearer  " + RANDOM, "Authorization: Bearer x"]
)
def test_what_a_bearer_header_carries_is_removed(header: str) -> None:
    assert scrub(header).endswith("[key removed]")
    assert scrub(header).removeprefix("Authorization: ") == "[key removed]"


@pytest.mark.parametrize(
    "text",
    [
        "The model llama-3.3-70b-versatile is rate limited, try again in 3 s.",
        "disk-full, task-42, risk-adjusted and desk-top are words.",
        "call_0123456789ABCDEFabcdef of key_0123456789ABCDEFabcdef",
        "journal host-4711-1795176000000000000.jnl",
        "id 0193476e8f0070008000000000000000 and 0193476e-8f00-7000-8000-000000000000",
        "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "req_011CSHoEeqs5C35K2UUqR7Fy failed: 2 * 3 ** 4, a *b* c",
    ],
)
def test_text_without_keys_stays_as_it_is(text: str) -> None:
    assert scrub(text) == text


def test_scrubbing_twice_changes_nothing_more() -> None:
    text = " ".join([*KEYS.values(), *ECHOES, "Bearer abc"])

    assert scrub(scrub(text)) == scrub(text)


class Log:
    """A logger whose only handler scrubs."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.handler = logging.StreamHandler(self.stream)
        self.handler.addFilter(ScrubbingFilter())
        self.logger = logging.Logger("scrubbed")
        self.logger.addHandler(self.handler)

    @property
    def text(self) -> str:
        return self.stream.getvalue()


def test_the_filter_cleans_message_and_arguments() -> None:
    log = Log()

    log.logger.warning("key %s in %s", KEYS["groq"], {"authorization": KEYS["openai"]})

    assert log.text.count("[key removed]") == 2
    assert RANDOM not in log.text


def _fail(message: str, because: Exception | None = None) -> None:
    raise ValueError(message) from because


def test_the_filter_cleans_exceptions_and_their_causes() -> None:
    log = Log()
    try:
        _fail(f"no {KEYS['xai']}", because=KeyError(KEYS["anthropic"]))
    except ValueError:
        log.logger.exception("failed")

    assert "ValueError" in log.text
    assert RANDOM not in log.text


def test_the_filter_cleans_an_exception_that_another_handler_has_formatted_before() -> None:
    log, careless = Log(), io.StringIO()
    log.logger.handlers.insert(0, logging.StreamHandler(careless))
    try:
        _fail(KEYS["openai"])
    except ValueError:
        log.logger.exception("failed")

    assert RANDOM in careless.getvalue()  # the one without the filter
    assert RANDOM not in log.text


def test_the_filter_cleans_the_stack() -> None:
    log = Log()

    log.logger.warning("here", stack_info=True, extra={})
    record = logging.LogRecord("x", 30, "f", 1, "m", (), None, sinfo=f"stack {KEYS['groq']}")
    log.handler.handle(record)

    assert "test_the_filter_cleans_the_stack" in log.text
    assert RANDOM not in log.text


def test_arguments_that_do_not_fit_do_not_raise_out_of_the_log() -> None:
    log = Log()

    log.logger.warning("%d of %s", "one", KEYS["groq"])
    log.logger.warning("%(name)s", {"other": KEYS["groq"]})

    assert log.text.count("[key removed]") == 2
    assert RANDOM not in log.text


def test_the_console_of_the_project_has_the_filter(settings: Settings) -> None:
    console = settings.LOGGING["handlers"]["console"]
    filters = settings.LOGGING["filters"]

    assert [filters[name]["()"] for name in console["filters"]] == [
        f"{ScrubbingFilter.__module__}.{ScrubbingFilter.__qualname__}"
    ]
    assert ScrubbingFilter.__module__ in sys.modules
