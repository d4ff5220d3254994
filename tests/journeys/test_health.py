"""Providers that become slow or die and come back, over real HTTP: who gets the calls meanwhile."""

from collections import Counter
from collections.abc import Iterator

import pytest

from routing import runtime
from routing.health.known import Known
from tests.journeys import books
from tests.journeys.conftest import MESSAGES, Caller
from tests.servers.sandbox import Sandbox

NAME = "llama-3.3-70b"  # offered by groq and cerebras


class Clock:
    """The clock of the gateway's knowledge, ahead of the real one by what a test skips."""

    def __init__(self, real: object) -> None:
        self.real, self.ahead = real, 0.0

    def __call__(self) -> float:
        return self.real() + self.ahead  # type: ignore[operator,no-any-return]


@pytest.fixture
def clock(live_caller: Caller) -> Iterator[Clock]:
    state = runtime.current().health
    skipping = Clock(state.clock)
    state.forget()
    state.clock = skipping
    yield skipping
    state.clock = skipping.real  # type: ignore[assignment]
    state.forget()


def known(caller: Caller) -> Known:
    return runtime.current().health.of("live", caller.tenant.pk)


def ask(caller: Caller, model: str = NAME, **options: object) -> str:
    """One streamed call; who answered."""
    raw = caller.openai(live=True).chat.completions.with_raw_response.create(
        model=model, messages=MESSAGES, stream=True, max_tokens=5, extra_body=options
    )
    assert list(raw.parse())
    return str(raw.headers["x-flo2-provider"])


def test_a_slow_provider_loses_its_calls_and_gets_them_back_when_it_is_the_faster_one(
    live_caller: Caller, sandbox: Sandbox, clock: Clock
) -> None:
    fast = {"sort": "latency"}
    first = Counter(ask(live_caller, provider=fast) for _ in range(8))
    favourite = first.most_common(1)[0][0]
    clock.ahead += 1200  # what was seen before counts a quarter
    sandbox.fail(favourite, "slow@1500")
    during = [ask(live_caller, provider=fast) for _ in range(16)]
    assert during[-6:].count(favourite) <= 1
    other = during[-1]
    sandbox.heal()
    sandbox.fail(other, "slow@1500")
    clock.ahead += 1200
    after = [ask(live_caller, provider=fast) for _ in range(16)]
    assert after[-6:].count(favourite) >= 5


def test_a_dead_provider_is_left_alone_and_a_probe_brings_it_back(
    live_caller: Caller, sandbox: Sandbox, clock: Clock
) -> None:
    order = {"order": ["groq", "cerebras"]}
    sandbox.fail("groq", "500")
    assert {ask(live_caller, provider=order) for _ in range(5)} == {"cerebras"}
    asked = len(sandbox.requests("groq"))
    assert asked == 5
    assert {ask(live_caller, provider=order) for _ in range(3)} == {"cerebras"}
    assert len(sandbox.requests("groq")) == asked, "its breaker is open: nobody asks"
    clock.ahead += 6
    assert ask(live_caller, provider=order) == "cerebras", "the probe fails"
    assert len(sandbox.requests("groq")) == asked + 1
    sandbox.heal()
    assert ask(live_caller, provider=order) == "cerebras", "the pause has doubled"
    clock.ahead += 11
    assert [ask(live_caller, provider=order) for _ in range(3)] == ["groq"] * 3


def test_when_all_are_open_the_first_to_reopen_is_tried_and_the_error_names_each(
    live_caller: Caller, sandbox: Sandbox, clock: Clock
) -> None:
    pinned = "groq/llama-3.3-70b-versatile"
    client = live_caller.openai(live=True).with_options(max_retries=0)
    sandbox.fail("groq", "500")
    answers = [
        client.chat.completions.with_streaming_response.create(model=pinned, messages=MESSAGES)
        for _ in range(4)
    ]
    codes = []
    for answer in answers:
        try:
            with answer:
                pass
        except Exception as error:  # noqa: BLE001  of several classes, told by their codes
            codes.append(getattr(error, "code", None))
    assert codes[0] == "provider_error"
    assert codes[-1] == "no_healthy_provider"
    call, attempts = books.last(live_caller)
    assert (call.http_status, call.error_code) == (503, "no_healthy_provider")
    assert attempts, "it was tried all the same"
    sandbox.heal()
    assert ask(live_caller, pinned) == "groq"
    assert books.last(live_caller)[0].reason == "all_open_least_bad"


def test_simulated_faults_teach_nothing(caller: Caller) -> None:
    view = runtime.current().health.of("test", caller.tenant.pk)
    for _ in range(6):
        caller.openai().chat.completions.create(
            model="groq/llama-3.3-70b-versatile", messages=MESSAGES,
            extra_body={"models": ["cerebras/gpt-oss-120b"]},
            extra_headers={"x-flo2-simulate": "groq=500"},
        )  # fmt: skip
    assert not view.breakers
    assert {provider for _, provider, _ in view.speeds.cells} == {"cerebras"}


def test_a_rejected_key_is_not_tried_again_and_again(
    live_caller: Caller, sandbox: Sandbox, clock: Clock
) -> None:
    pinned = "groq/llama-3.3-70b-versatile"
    sandbox.fail("groq", "401")
    for _ in range(4):
        with pytest.raises(Exception, match="key"):
            ask(live_caller, pinned)
    assert len(sandbox.requests("groq")) <= 2
    assert known(live_caller).name[0] == "live"
