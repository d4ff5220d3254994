"""Who rests after what, for how long, and how they come back: every row of the failure table."""

import math
from dataclasses import replace

import pytest

from routing.health.breakers import COUNTED, FIRST_PAUSE, LONGEST_PAUSE
from routing.upstream.failures import Failure, FailureKind
from tests.routing.health.seeing import OTHER, World, candidate, everything, ring_key

GROQ, CEREBRAS = candidate("groq"), candidate("cerebras", key=2)
HOUR = 3600.0

# kind, seconds that this key rests for this model after one of them, code of the exclusion
AFTER_ONE = [
    (FailureKind.AUTH, math.inf, "key_invalid"),
    (FailureKind.BILLING, HOUR, "key_no_credit"),
    (FailureKind.PERMISSION, HOUR, "breaker_open"),
    (FailureKind.MODEL_MISSING, HOUR, "breaker_open"),
]
SAYS_NOTHING = [FailureKind.CONTEXT, FailureKind.PARAM, FailureKind.POLICY, FailureKind.CALLER]


@pytest.mark.parametrize(("kind", "seconds", "code"), AFTER_ONE)
def test_a_refused_key_rests_at_once(kind: FailureKind, seconds: float, code: str) -> None:
    world = World()
    world.see(GROQ, kind)
    pause = world.known.pause(GROQ.offer, GROQ.key)
    assert (pause.seconds, pause.code) == (seconds, code)
    assert not world.is_open(candidate("groq", key=2)), "another key may be asked"
    assert not world.is_open(candidate("groq", "other")), "and another model"


@pytest.mark.parametrize("kind", SAYS_NOTHING)
def test_a_callers_fault_says_nothing_of_the_provider(kind: FailureKind) -> None:
    world = World()
    for _ in range(50):
        world.see(GROQ, kind)
    assert not world.is_open(GROQ)
    assert not world.known.breakers


@pytest.mark.parametrize("outcome", ["lost", "cancelled"])
def test_who_was_called_off_has_not_failed(outcome: str) -> None:
    world = World()
    for _ in range(50):
        world.see(GROQ, outcome)
    assert not world.is_open(GROQ)


@pytest.mark.parametrize("outcome", sorted(map(str, COUNTED)))
def test_five_failures_in_a_row_open_the_breaker_for_every_key(outcome: str) -> None:
    world = World()
    for _ in range(4):
        world.see(GROQ, outcome)
    assert not world.is_open(GROQ)
    world.see(GROQ, outcome)
    assert world.pause(GROQ) == FIRST_PAUSE
    assert world.is_open(candidate("groq", key=9))
    assert not world.is_open(candidate("groq", "other"))


def test_an_answer_between_failures_ends_the_row() -> None:
    world = World()
    for outcome in ["server"] * 4 + ["answered"] + ["server"] * 4:
        world.see(GROQ, outcome)
    assert not world.is_open(GROQ)


def test_half_of_twenty_within_half_a_minute_open_the_breaker() -> None:
    world = World()
    for number in range(19):
        world.see(GROQ, "answered" if number % 2 else "server")
        world.wait(1)
    assert not world.is_open(GROQ)
    world.see(GROQ, "server")
    assert world.is_open(GROQ)


def test_failures_that_are_long_past_do_not_count() -> None:
    world = World()
    for number in range(60):
        world.see(GROQ, "answered" if number % 2 else "server")
        world.wait(2)
    assert not world.is_open(GROQ)


def opened() -> World:
    world = World()
    for _ in range(5):
        world.see(GROQ, "server")
    return world


def test_one_call_probes_and_an_answer_closes() -> None:
    world = opened()
    assert not world.known.admits(GROQ)
    world.wait(FIRST_PAUSE)
    assert not world.is_open(GROQ)
    assert world.known.admits(GROQ), "the first one probes"
    assert not world.known.admits(GROQ), "the second one does not"
    assert world.is_open(GROQ), "nor does a plan reckon with it"
    world.see(GROQ, "answered", took=0.0)
    assert not world.known.breakers, "all is forgotten"
    assert world.known.admits(GROQ)


def test_failing_probes_double_the_pause_up_to_a_minute() -> None:
    world, pauses = opened(), []
    for _ in range(6):
        world.wait(world.pause(GROQ))
        assert world.known.admits(GROQ)
        world.see(GROQ, "server", took=0.0)
        pauses.append(world.pause(GROQ))
    assert pauses == [10, 20, 40, LONGEST_PAUSE, LONGEST_PAUSE, LONGEST_PAUSE]


@pytest.mark.parametrize("outcome", ["cancelled", "lost", "caller"])
def test_a_probe_that_says_nothing_lets_the_next_one_try(outcome: str) -> None:
    world = opened()
    world.wait(FIRST_PAUSE)
    assert world.known.admits(GROQ)
    world.see(GROQ, outcome, took=0.0)
    assert world.known.admits(GROQ)


def test_a_probe_that_never_ends_does_not_block_for_ever() -> None:
    world = opened()
    world.wait(FIRST_PAUSE)
    assert world.known.admits(GROQ)
    world.wait(30)
    assert world.known.admits(GROQ)


def test_calls_that_were_on_their_way_before_change_nothing() -> None:
    world = opened()
    world.wait(1)
    world.see(GROQ, "server", took=3)
    world.see(GROQ, "answered", took=3)
    assert world.pause(GROQ) == FIRST_PAUSE - 1


def test_a_rate_limit_rests_as_long_as_the_provider_says() -> None:
    world = World()
    world.see(GROQ, "rate_limit", failure=limited(7.5))
    assert world.pause(GROQ) == 7.5
    world.wait(7.5)
    assert not world.is_open(GROQ)
    world.see(GROQ, "rate_limit", failure=limited(600))
    assert world.pause(GROQ) == 60, "but not longer than a minute"


def test_rate_limits_without_a_word_rest_longer_each_time_and_an_answer_starts_anew() -> None:
    world = World()
    waits = []
    for _ in range(8):
        world.see(GROQ, "rate_limit")
        waits.append(world.pause(GROQ))
        world.wait(60)
    ceilings = [min(2.0**count, 60) for count in range(1, 9)]
    assert all(0 <= wait <= most for wait, most in zip(waits, ceilings, strict=True))
    assert max(waits) > 4
    world.see(GROQ)
    world.see(GROQ, "rate_limit")
    assert world.pause(GROQ) <= 2


def test_the_later_of_two_pauses_wins() -> None:
    world = World()
    world.see(GROQ, "rate_limit", failure=limited(30))
    world.see(GROQ, "rate_limit", failure=limited(1))
    assert world.pause(GROQ) == 30
    for _ in range(5):
        world.see(GROQ, "server")
    assert world.pause(GROQ) == 30, "and of key and provider, too"
    world.wait(28)
    assert world.pause(GROQ) == 2


@pytest.mark.parametrize("kind", [kind for kind, *_ in AFTER_ONE])
@pytest.mark.parametrize(
    "change", [{"sealed": b"new"}, {"checked_at": None}, {"status": "limited"}]
)
def test_a_key_that_was_changed_or_checked_may_be_tried_again(
    kind: FailureKind, change: dict[str, object]
) -> None:
    world = World()
    world.see(GROQ, kind)
    assert GROQ.key
    changed = replace(GROQ.key, **change)  # type: ignore[arg-type]
    assert world.known.pause(GROQ.offer, changed).seconds == 0


def test_a_rejected_key_is_tried_at_most_once_in_ten_seconds() -> None:
    world = World()
    rejected = candidate()
    rejected = type(rejected)(rejected.offer, ring_key(1, status="invalid"), None, None)
    assert rejected.key
    assert world.known.admits_rejected(rejected)
    assert not world.known.admits_rejected(rejected)
    assert not world.known.may_try_rejected(rejected.key)
    world.wait(10)
    assert world.known.may_try_rejected(rejected.key)
    assert world.known.admits_rejected(rejected)
    assert world.known.admits_rejected(CEREBRAS), "a good key is none of that"


@pytest.mark.parametrize("kind", [kind for kind, *_ in AFTER_ONE] + [FailureKind.RATE_LIMIT])
def test_one_tenants_refused_key_leaves_another_tenants_state_byte_identical(
    kind: FailureKind,
) -> None:
    world = World()
    theirs = world.state.of("live", OTHER)
    for number in range(30):
        world.see_at(theirs, GROQ, "server" if number % 7 == 0 else "answered", first=0.2)
    before = everything(theirs)
    for _ in range(50):
        world.see(GROQ, kind, took=0.0)
    assert everything(theirs) == before
    assert theirs.pause(GROQ.offer, GROQ.key).seconds == 0


def test_one_tenants_failures_never_shut_or_put_last_another_tenants_provider() -> None:
    world = World()
    theirs = world.state.of("live", OTHER)
    for _ in range(100):
        world.see(GROQ, "server")
    assert world.is_open(GROQ)
    assert theirs.pause(GROQ.offer, GROQ.key).seconds == 0
    assert not theirs.is_strained(GROQ.offer, GROQ.key, 10)


def test_what_fails_for_two_tenants_is_asked_last_by_a_third_but_not_shut() -> None:
    world = World()
    for tenant in (world.known, world.state.of("live", OTHER)):
        for _ in range(5):
            world.see_at(tenant, GROQ, "server")
    third = world.state.of("live", ring_key(99).key_id)
    assert third.is_strained(GROQ.offer, GROQ.key, 10)
    assert third.pause(GROQ.offer, GROQ.key).seconds == 0
    world.see_at(third, GROQ, "answered", took=0.0)
    assert not third.is_strained(GROQ.offer, GROQ.key, 10)


def test_modes_are_apart() -> None:
    world = opened()
    assert world.state.of("test", world.known.name[1]).pause(GROQ.offer, GROQ.key).seconds == 0


def test_the_sandboxs_own_key_is_nothing_that_could_be_rejected() -> None:
    world = World("test")
    own = candidate("groq", key=None)
    for kind, *_ in AFTER_ONE:
        world.see(own, kind)
    assert not world.is_open(own)
    world.see(own, "rate_limit", failure=limited(3))
    assert world.pause(own) == 3


def test_callers_who_name_any_model_do_not_fill_the_memory() -> None:
    world = World()
    for number in range(4_100):
        world.see(candidate("groq", f"made-up-{number}"), "model_missing")
    assert len(world.known.rests) <= 4_000


def limited(seconds: float) -> Failure:
    return Failure(FailureKind.RATE_LIMIT, status=429, retry_after_s=seconds)
