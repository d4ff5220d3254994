"""Usage means with each provider what it means with the real one (wire facts, 1.4)."""

from decimal import Decimal
from typing import Any

import pytest

from tests.routing.sandbox.server import Sandbox
from tests.routing.sandbox.speakers import BY_NAME
from tests.routing.sandbox.speaking import Json
from tests.routing.sandbox.test_answers import ask


def usage(sandbox: Sandbox, name: str, text: str = "Say hello.", **options: object) -> Json:
    speaker = BY_NAME[name]
    found = ask(sandbox, speaker, text, **{"model": speaker.thinker, **options}).usage
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["cerebras", "openai", "groq", "deepinfra", "openrouter"])
def test_reasoning_is_inside_the_completion(sandbox: Sandbox, name: str) -> None:
    found = usage(sandbox, name)
    thinking = found["completion_tokens_details"]["reasoning_tokens"]

    assert 0 < thinking < found["completion_tokens"]
    assert found["total_tokens"] == found["prompt_tokens"] + found["completion_tokens"]


def test_xai_counts_reasoning_beside_the_completion_and_in_the_total(sandbox: Sandbox) -> None:
    found = usage(sandbox, "xai")
    thinking = found["completion_tokens_details"]["reasoning_tokens"]

    assert thinking > 0
    parts = found["prompt_tokens"] + found["completion_tokens"] + thinking
    assert found["total_tokens"] == parts


def test_xai_tells_its_cost_in_ticks(sandbox: Sandbox) -> None:
    found = usage(sandbox, "xai")
    written = found["completion_tokens"] + found["completion_tokens_details"]["reasoning_tokens"]
    dollars = (found["prompt_tokens"] * Decimal("0.30") + written * Decimal("0.50")) / 10**6

    assert Decimal(found["cost_in_usd_ticks"]) / 10**10 == dollars


def test_gemini_counts_thoughts_beside_the_candidates(sandbox: Sandbox) -> None:
    found = usage(sandbox, "gemini")

    assert found["thoughtsTokenCount"] > 0
    parts = ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount")
    assert found["totalTokenCount"] == sum(found[part] for part in parts)


def test_gemini_compat_shows_thoughts_only_as_a_gap_in_the_total(sandbox: Sandbox) -> None:
    found = usage(sandbox, "gemini compat")

    assert found["total_tokens"] > found["prompt_tokens"] + found["completion_tokens"]
    assert "completion_tokens_details" not in found


def test_anthropic_counts_thinking_in_the_output(sandbox: Sandbox) -> None:
    found = usage(sandbox, "anthropic")

    assert 0 < found["output_tokens_details"]["thinking_tokens"] < found["output_tokens"]


def test_deepinfra_counts_thoughts_of_gemini_models_apart(sandbox: Sandbox) -> None:
    found = usage(sandbox, "deepinfra", model="google/gemini-2.5-flash")
    inside = usage(sandbox, "deepinfra")

    assert found["total_tokens"] == found["prompt_tokens"] + found["completion_tokens"]
    assert found["completion_tokens_details"]["reasoning_tokens"] > 0
    assert found["completion_tokens"] < inside["completion_tokens"]


@pytest.mark.parametrize(
    ("name", "field"), [("deepinfra", "estimated_cost"), ("openrouter", "cost")]
)
def test_some_providers_tell_the_cost_in_dollars(sandbox: Sandbox, name: str, field: str) -> None:
    found = usage(sandbox, name)

    assert 0 < found[field] < 0.001


def test_groq_tells_times_and_only_details_that_are_there(sandbox: Sandbox) -> None:
    found = usage(sandbox, "groq", model=BY_NAME["groq"].model)

    assert {"queue_time", "prompt_time", "completion_time", "total_time"} <= found.keys()
    assert not {"prompt_tokens_details", "completion_tokens_details"} & found.keys()


def test_responses_tell_all_their_details(sandbox: Sandbox) -> None:
    found = usage(sandbox, "openai responses")

    assert found["output_tokens_details"]["reasoning_tokens"] > 0
    assert found["input_tokens_details"].keys() == {"cached_tokens", "cache_write_tokens"}
    assert found["total_tokens"] == found["input_tokens"] + found["output_tokens"]


LONG = "A long story that many requests begin with. " * 150


def cached(found: Json) -> int:
    """Cached tokens, whatever they are called."""
    details = found.get("prompt_tokens_details") or found.get("input_tokens_details") or {}
    return int(details.get("cached_tokens") or found.get("cachedContentTokenCount") or 0)


@pytest.mark.parametrize("name", sorted(BY_NAME.keys() - {"anthropic", "gemini compat", "nvidia"}))
def test_a_long_beginning_is_cached_when_it_comes_again(sandbox: Sandbox, name: str) -> None:
    text = f"{name} {LONG}"
    first, second = (usage(sandbox, name, text) for _ in range(2))

    assert cached(first) == 0
    assert cached(second) >= 1024
    assert cached(second) % 128 == 0
    prompt = second.get("prompt_tokens") or second.get("input_tokens") or second["promptTokenCount"]
    assert cached(second) <= prompt


@pytest.mark.parametrize(
    ("model", "spelt"),
    [
        ("mistral-small-latest", ("prompt_tokens_details", "cached_tokens")),
        ("codestral-latest", ("prompt_token_details", "cached_tokens")),
        ("devstral-small-latest", ("num_cached_tokens",)),
    ],
)
def test_mistral_spells_cached_tokens_in_three_ways(
    sandbox: Sandbox, model: str, spelt: tuple[str, ...]
) -> None:
    usage(sandbox, "mistral", f"spelt {LONG}", model=model)
    found: Any = usage(sandbox, "mistral", f"spelt {LONG}", model=model)

    for name in spelt:
        found = found[name]
    assert found >= 1024


def test_another_key_has_another_cache(sandbox: Sandbox) -> None:
    speaker = BY_NAME["groq"]
    body = speaker.body(f"keys {LONG}", model=speaker.model)

    found = [
        sandbox.post(speaker.url(), body, {"authorization": f"Bearer {key}"}).json()["usage"]
        for key in ("mine", "mine", "yours")
    ]

    assert [cached(one) > 0 for one in found] == [False, True, False]


def test_anthropic_caches_only_what_is_marked_and_counts_it_beside_the_input(
    sandbox: Sandbox,
) -> None:
    def figures(ttl: str | None) -> list[Json]:
        system: Json = {"type": "text", "text": f"{ttl} {LONG}"}
        if ttl:
            system["cache_control"] = {"type": "ephemeral", "ttl": ttl}
        return [usage(sandbox, "anthropic", system=[system]) for _ in range(2)]

    plain, marked = figures(None), figures("1h")

    assert [one["cache_read_input_tokens"] for one in plain] == [0, 0]
    assert marked[0]["cache_creation_input_tokens"] > 1024
    assert marked[0]["cache_creation"]["ephemeral_1h_input_tokens"] > 1024
    assert marked[0]["cache_creation"]["ephemeral_5m_input_tokens"] == 0
    assert marked[1]["cache_read_input_tokens"] == marked[0]["cache_creation_input_tokens"]
    assert marked[1]["cache_creation_input_tokens"] == 0
    assert marked[0]["input_tokens"] == marked[1]["input_tokens"] < 100


def test_openai_bills_cache_writes_of_its_newest_models(sandbox: Sandbox) -> None:
    details = [
        usage(sandbox, "openai", f"writes {LONG}", model="gpt-5.6")["prompt_tokens_details"]
        for _ in range(2)
    ]

    assert details[0]["cache_write_tokens"] >= 1024
    assert details[1]["cache_write_tokens"] == 0
    assert "cache_write_tokens" not in usage(sandbox, "openai")["prompt_tokens_details"]


def test_counting_tokens_agrees_with_the_usage(sandbox: Sandbox) -> None:
    speaker = BY_NAME["anthropic"]
    body = speaker.body("How long is this?", model=speaker.model)
    used = sandbox.post(speaker.url(), body, speaker.headers).json()["usage"]["input_tokens"]
    del body["max_tokens"]

    counted = sandbox.post("/anthropic/v1/messages/count_tokens", body, speaker.headers).json()

    assert counted == {"input_tokens": used}
