"""What is learned of speeds, lengths, prompt caches, allowances and retries."""

import math
from random import Random
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.usage import Usage
from routing.health import headroom
from routing.health.cells import Histogram, Sums
from routing.health.headroom import Headroom
from routing.health.retry_budget import RetryBudget
from tests.routing.health.seeing import OTHER, World, candidate
from tests.routing.plan.builders import chat

FAST, SLOW = candidate("groq"), candidate("cerebras")
LONG_AGO = 86_400.0


def mean(world: World, one: object, **request: object) -> float:
    fields = {"stream": True, **request}
    return world.known.seconds(one, chat(**fields), None)  # type: ignore[arg-type]


def test_before_anything_is_seen_the_catalogue_speaks() -> None:
    world = World()
    quick = candidate(seconds_to_first_token=0.1, tokens_per_second=500.0)
    slow = candidate("cerebras", seconds_to_first_token=2.0, tokens_per_second=20.0)
    assert mean(world, quick) < mean(world, slow)


def test_what_is_seen_outweighs_the_catalogue_and_is_forgotten_again() -> None:
    world = World()
    one = candidate(seconds_to_first_token=0.1)
    before = mean(world, one, max_tokens=1)
    for _ in range(20):
        world.see(one, first=3.0, took=4.0)
    assert mean(world, one, max_tokens=1) > 2.5
    world.wait(LONG_AGO)
    assert mean(world, one, max_tokens=1) == pytest.approx(before)


def test_streamed_and_whole_answers_and_sizes_are_learned_apart() -> None:
    world = World()
    usual = {size: mean(world, FAST, input_tokens=size) for size in (500, 20_000)}
    for _ in range(10):
        world.see(FAST, chat=chat(stream=False), took=9.0)
    assert mean(world, FAST, input_tokens=500) == pytest.approx(usual[500], rel=0.1)
    for _ in range(10):
        world.see(FAST, chat=chat(stream=True, input_tokens=20_000), first=9.0, took=9.5)
    assert mean(world, FAST, input_tokens=500) == pytest.approx(usual[500], rel=0.1)
    assert mean(world, FAST, input_tokens=20_000) > usual[20_000] + 5


def test_failures_cost_what_they_lose() -> None:
    world = World()
    for number in range(40):
        world.see(FAST, "timeout" if number % 2 else "answered", first=0.1, took=20.0)
    assert mean(world, FAST) > mean(world, SLOW) + 5
    assert world.known.tokens_per_second(FAST) < world.known.tokens_per_second(SLOW)


def test_long_answers_go_where_they_are_written_fast() -> None:
    world = World()
    usage = Usage(input_uncached=100, output_visible=400)
    for _ in range(10):
        world.see(FAST, first=0.6, took=0.6 + 0.4, usage=usage)
        world.see(SLOW, first=0.3, took=0.3 + 20, usage=usage)
    assert mean(world, FAST) < mean(world, SLOW)
    assert mean(world, FAST, max_tokens=1) > mean(world, SLOW, max_tokens=1)
    assert world.known.tokens_per_second(FAST) > 10 * world.known.tokens_per_second(SLOW)


def test_short_streams_and_empty_answers_say_nothing_of_speed() -> None:
    world = World()
    before = world.known.tokens_per_second(FAST)
    for _ in range(10):
        world.see(FAST, first=0.1, took=10, usage=Usage(output_visible=5))
    assert world.known.tokens_per_second(FAST) == pytest.approx(before, rel=0.05)
    assert not world.known.speeds.paces
    times = dict(world.known.speeds.cells)
    world.see(SLOW, "empty", first=0.01, took=0.01)
    assert world.known.speeds.cells == times


def test_a_new_tenant_begins_with_what_others_saw_and_own_endpoints_are_not_shared() -> None:
    world = World()
    own = candidate("custom")
    for _ in range(10):
        world.see(FAST, first=5.0, took=5.5)
        world.see(own, first=5.0, took=5.5)
    newcomer = world.state.of("live", OTHER)
    request = chat(stream=True, max_tokens=1)
    assert newcomer.seconds(FAST, request, None) > 3
    assert newcomer.seconds(own, request, None) < 1.5


def test_keys_of_one_offer_share_a_draw() -> None:
    world = World()
    two = [FAST, candidate("groq", key=2)]
    two[1] = type(FAST)(FAST.offer, two[1].key, None, None)
    drawn = world.known.each([*two, SLOW], chat(stream=True), Random(4))
    assert drawn[0] == drawn[1] != drawn[2]


def test_the_length_of_answers_is_learned_and_never_beyond_the_maximum() -> None:
    world = World()
    for _ in range(200):
        world.see(FAST, usage=Usage(input_uncached=150, output_visible=900))
    expected = world.known.expected(FAST.offer, FAST.key, chat(input_tokens=100), "")
    assert expected.output == pytest.approx(900, rel=0.1)
    assert expected.input == pytest.approx(150, rel=0.02), "and by how much estimates are off"
    short = world.known.expected(FAST.offer, FAST.key, chat(max_tokens=50), "")
    assert short.output == 50
    assert world.known.expected(SLOW.offer, SLOW.key, chat(), "").output == 250


def test_a_reasoning_model_is_expected_to_think_until_it_is_seen_not_to() -> None:
    world = World()
    thinker = candidate(reasons=True)
    assert world.known.expected(thinker.offer, None, chat(), "").output == 1000
    for _ in range(300):
        world.see(thinker, usage=Usage(input_uncached=100, output_visible=100))
    assert world.known.expected(thinker.offer, None, chat(), "").output < 120


def session_call(world: World, cache_read: int = 0) -> None:
    usage = Usage(input_uncached=20_000 - cache_read, cache_read=cache_read, output_visible=50)
    world.see(FAST, chat=chat(input_tokens=20_000), usage=usage, session="s")


def test_a_session_expects_its_prompt_to_be_cached_where_it_was_and_nowhere_else() -> None:
    world, request = World(), chat(input_tokens=30_000)
    session_call(world)
    there = world.known.expected(FAST.offer, FAST.key, request, "s")
    assert there.cached == pytest.approx(0.9 * 20_000)
    assert world.known.expected(SLOW.offer, SLOW.key, request, "s").cached == 0
    other_key = candidate("groq", key=2).key
    assert world.known.expected(FAST.offer, other_key, request, "s").cached == 0
    assert world.known.expected(FAST.offer, FAST.key, request, "another").cached == 0
    assert world.known.expected(FAST.offer, FAST.key, chat(input_tokens=900), "s").cached == 0
    world.wait(301)
    assert world.known.expected(FAST.offer, FAST.key, request, "s").cached == 0


def test_a_provider_that_reads_nothing_from_its_cache_is_no_longer_expected_to() -> None:
    world = World()
    for _ in range(60):
        session_call(world)
    found = world.known.expected(FAST.offer, FAST.key, chat(input_tokens=20_000), "s")
    assert found.cached < 100


@pytest.mark.parametrize("marked", [True, False])
def test_a_dialect_that_wants_marks_caches_only_what_is_marked(marked: bool) -> None:
    world, claude = World(), candidate("anthropic")
    mark = {"cache_control": {"type": "ephemeral"}} if marked else {}
    body = {"messages": [{"role": "user", "content": [{"type": "text", "text": "x", **mark}]}]}
    request = chat(body=body, input_tokens=20_000, dialect="anthropic")
    usage = Usage(input_uncached=20_000, output_visible=9)
    world.see(claude, chat=request, usage=usage, session="s")
    found = world.known.expected(claude.offer, claude.key, request, "s")
    assert (found.cached > 0) is marked
    assert (found.written > 0) is marked


def test_retries_are_paid_from_a_budget_that_calls_and_time_fill() -> None:
    budget = RetryBudget(at=0.0)
    assert sum(budget.take(0.0) for _ in range(50)) == 10
    for _ in range(5):
        budget.called(0.0)
    assert sum(budget.take(0.0) for _ in range(5)) == 1
    assert sum(budget.take(10.0) for _ in range(50)) == 3
    assert sum(budget.take(10_000.0) for _ in range(50)) == 20


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"},
         Headroom(0, math.inf, 360)),
        ({"x-ratelimit-remaining-tokens": "90", "x-ratelimit-reset-tokens": "120ms"},
         Headroom(math.inf, 90, 0.12)),
        ({"x-ratelimit-remaining-tokens-minute": "8", "x-ratelimit-reset-tokens-minute": "33.5"},
         Headroom(math.inf, 8, 33.5)),
        ({"anthropic-ratelimit-tokens-remaining": "5",
          "anthropic-ratelimit-tokens-reset": "2020-01-01T00:00:00Z"}, Headroom(math.inf, 5, 0)),
        ({"x-ratelimit-remaining-requests": "1"}, Headroom(1, math.inf, 60)),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "soon"},
         Headroom(0, math.inf, 60)),
        ({"x-ratelimit-remaining-requests": "99", "x-ratelimit-remaining-tokens": "900000"}, None),
        ({"x-ratelimit-remaining-requests": "many"}, None),
        ({"content-type": "application/json"}, None),
    ],
)  # fmt: skip
def test_rate_limit_headers_are_read_whatever_the_provider(
    headers: dict[str, str], expected: Headroom | None
) -> None:
    found = headroom.read([(k.encode(), v.encode()) for k, v in headers.items()])
    assert found == expected


def test_a_key_that_cannot_hold_the_call_is_strained_until_its_reset() -> None:
    world = World()
    world.known.told(FAST, Headroom(5, 1000, 20.0))
    assert world.known.is_strained(FAST.offer, FAST.key, 1001)
    assert not world.known.is_strained(FAST.offer, FAST.key, 1000)
    world.wait(20)
    assert not world.known.is_strained(FAST.offer, FAST.key, 1001)


observations = st.lists(st.floats(-3, 3), max_size=20)


@given(observations, observations, st.floats(0, 500), st.floats(0, 5000))
def test_fading_commutes_with_merging(
    one: list[float], other: list[float], calls: float, seconds: float
) -> None:
    def summed(values: list[float]) -> Sums:
        sums = Sums()
        for value in values:
            sums.add(value)
        return sums

    merged_first, faded_first, apart = summed(one), summed(one), summed(other)
    merged_first.merge(apart.n, apart.total, apart.squares)
    merged_first.fade(calls, seconds)
    faded_first.fade(calls, seconds)
    apart.fade(calls, seconds)
    faded_first.merge(apart.n, apart.total, apart.squares)
    for name in ("n", "total", "squares"):
        assert getattr(merged_first, name) == pytest.approx(getattr(faded_first, name), abs=1e-9)


def test_a_histogram_knows_its_tail_and_forgets_slowly() -> None:
    rng, histogram = Random(3), Histogram()
    drawn = sorted(rng.lognormvariate(-1, 0.5) for _ in range(4_000))
    for seconds in rng.sample(drawn, len(drawn)):
        histogram.add(seconds)
    assert histogram.quantile(0.95) == pytest.approx(drawn[3_800], rel=0.1)
    count, more = histogram.beyond(drawn[2_000])
    assert 0.4 < count / histogram.count < 0.6
    assert more == pytest.approx(sum(d - drawn[2_000] for d in drawn[2_000:]) / 2_000, rel=0.25)
    for _ in range(2_000):
        histogram.add(10.0)
    assert histogram.quantile(0.05) > 9, "ten half-lives later only the new ones count"


def test_what_a_silent_one_is_hedged_after_grows_with_what_is_usual() -> None:
    world, request = World(), chat(stream=True)
    for number in range(60):
        world.see(FAST, first=0.2 if number % 10 else 4.0, took=5.0)
        world.see(SLOW, first=0.5, took=5.0)
    after = world.known.hedge_after(FAST, SLOW, request, quickest=FAST)
    assert 0.2 < after < 4.0
    unknown = candidate("openai")
    assert world.known.hedge_after(unknown, FAST, request, quickest=unknown) == pytest.approx(1.8)


def test_idle_tenants_make_room() -> None:
    world = World()
    tenants = [UUID(int=number) for number in range(100, 2_200)]
    views = []
    for tenant in tenants:
        world.wait(1)
        views.append(world.state.of("live", tenant))
    assert world.state.of("live", tenants[-1]) is views[-1]
    assert world.state.of("live", tenants[0]) is not views[0]
