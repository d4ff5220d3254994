"""The caller's options: honoured or refused by name, never ignored."""

from decimal import Decimal
from typing import Any

import pytest

from accounts.errors import InvalidRequest, UnknownOption
from routing import options


def test_a_request_without_options_has_none() -> None:
    headers = [(b"host", b"x"), (b"x-stainless-lang", b"python"), (b"authorization", b"Bearer k")]
    assert options.read(headers, {"model": "m", "metadata": {"a": "b"}}) is options.NONE


def test_every_option_is_read() -> None:
    headers = [
        (b"x-flo2-tags", b" a, b,a "),
        (b"x-flo2-project", b"shop.eu"),
        (b"x-flo2-max-cost", b"0.05"),
        (b"x-flo2-timeout-ms", b"30000"),
        (b"x-flo2-first-token-timeout-ms", b"2500"),
        (b"x-flo2-simulate", b"groq=429, openai=cut@5,cerebras=slow@250"),
        (b"x-flo2-policy", b"night.shift-2"),
        (b"x-flo2-race", b"3"),
        (b"x-flo2-hedge-ms", b"800"),
        (b"x-flo2-cache", b"refresh"),
        (b"x-flo2-cache-ttl", b"60"),
    ]
    body = {
        "models": ["a", "b"],
        "session_id": "s-1",
        "provider": {
            "order": ["groq"], "only": ["groq", "openai"], "ignore": ["cerebras"],
            "allow_fallbacks": False, "require_parameters": True, "sort": {"by": "price"},
            "data_collection": "deny", "max_price": {"prompt": "1.5", "output": 2},
            "preferred_max_latency": 3,
        },
    }  # fmt: skip
    found = options.read(headers, body)
    assert found.tags == ("a", "b")
    assert (found.project, found.session, found.models) == ("shop.eu", "s-1", ("a", "b"))
    assert (found.max_cost, found.timeout_s, found.first_token_s) == (Decimal("0.05"), 30.0, 2.5)
    assert found.simulation is not None
    assert found.simulation.of("openai") == "cut@5"
    assert (found.order, found.only, found.ignore) == (("groq",), ("groq", "openai"), ("cerebras",))
    assert (found.allow_fallbacks, found.require_parameters, found.sort) == (False, True, "price")
    assert found.deny_data_collection
    assert (found.policy, found.race, found.hedge_ms) == ("night.shift-2", 3, 800)
    assert (found.cache, found.cache_ttl_s) == ("refresh", 60)
    assert found.max_price == options.PriceCeiling(input=Decimal("1.5"), output=Decimal(2))
    assert found.adapted == ("provider.preferred_max_latency",)


@pytest.mark.parametrize(
    ("headers", "body", "session"),
    [
        ([(b"x-flo2-session", b"a"), (b"x-session-id", b"b")], {"session_id": "c"}, "c"),
        ([(b"x-session-id", b"b"), (b"x-flo2-session", b"a")], {"prompt_cache_key": "d"}, "a"),
        ([(b"session-id", b"e")], {}, "e"),
        ([(b"x-claude-code-session-id", b"f")], {}, "f"),
        ([], {"metadata": {"user_id": "u-1"}}, "u-1"),
        ([], {"metadata": {"user_id": '{"device_id": "d", "session_id": "g"}'}}, "g"),
        ([], {"metadata": {"user_id": "{broken"}}, ""),
        ([], {"metadata": {"user_id": 7}}, ""),
        ([], {"prompt_cache_key": "d"}, "d"),
    ],
)
def test_a_session_is_known_by_the_first_of_its_names(
    headers: list[tuple[bytes, bytes]], body: dict[str, Any], session: str
) -> None:
    assert options.read(headers, body).session == session


@pytest.mark.parametrize(
    ("header", "value"),
    [
        (b"x-flo2-timeout-ms", b"soon"),
        (b"x-flo2-timeout-ms", b"0"),
        (b"x-flo2-max-cost", b"-1"),
        (b"x-flo2-max-cost", b"NaN"),
        (b"x-flo2-max-cost", b"1e999999999"),
        (b"x-flo2-max-cost", b"1e-999999999"),
        (b"x-flo2-max-cost", b"9000001"),
        (b"x-flo2-project", b"Shop EU"),
        (b"x-flo2-simulate", b"groq"),
        (b"x-flo2-simulate", b"groq=418"),
        (b"x-flo2-simulate", b"groq=cut@x"),
        (b"x-flo2-policy", b"Night Shift"),
        (b"x-flo2-policy", b""),
        (b"x-flo2-race", b"6"),
        (b"x-flo2-race", b"two"),
        (b"x-flo2-hedge-ms", b"p95"),
        (b"x-flo2-cache", b"yes"),
        (b"x-flo2-cache-ttl", b"0"),
        (b"x-flo2-tags", "ü".encode()),
        (b"x-flo2-tags", b",".join(b"%d" % n for n in range(30))),
    ],
)
def test_a_malformed_value_is_refused_by_name(header: bytes, value: bytes) -> None:
    with pytest.raises(InvalidRequest, match=header.decode()):
        options.read([(header, value)], {})


def test_an_unknown_option_is_refused_by_name() -> None:
    with pytest.raises(UnknownOption, match="x-flo2-polcy"):
        options.read([(b"x-flo2-polcy", b"a")], {})


@pytest.mark.parametrize(
    "provider",
    [{"zdr": True}, {"quantizations": ["fp8"]}, {"sort": "fast"}, {"order": []}, {"only": "groq"},
     {"max_price": {"image": 1}}, {"data_collection": "maybe"}, {"allow_fallbacks": "no"}, []],
)  # fmt: skip
def test_a_wish_that_cannot_be_honoured_is_refused(provider: Any) -> None:
    with pytest.raises(InvalidRequest):
        options.read([], {"provider": provider})


def test_anthropics_fallbacks_are_models_to_fall_back_to() -> None:
    body = {"fallbacks": [{"model": "a"}, {"model": "b"}]}
    assert options.read([], body).models == ("a", "b")


def test_fallbacks_that_anthropic_itself_shall_walk_are_left_to_it() -> None:
    beta = [(b"anthropic-beta", b"x-1,server-side-fallback-2026-01-01")]
    assert options.read(beta, {"fallbacks": [{"model": "a"}]}).models == ()


@pytest.mark.parametrize("value", ["a", [{}], [{"model": 7}], [], ["a"]])
def test_fallbacks_of_another_form_are_refused(value: Any) -> None:
    with pytest.raises(InvalidRequest) as refused:
        options.read([], {"fallbacks": value})
    assert refused.value.param == "fallbacks"
