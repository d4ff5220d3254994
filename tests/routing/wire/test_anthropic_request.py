"""Requests of Anthropic's dialect: what is read, what Anthropic is sent, what is refused."""

import base64
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from accounts.errors import InvalidRequest
from routing.providers import loader
from routing.providers.spec import ModelOffer, Quirks
from routing.wire.anthropic import request

FIXTURES = Path(__file__).parents[2] / "fixtures" / "providers" / "anthropic"
PROVIDER = loader.load_all()["anthropic"]
OFFERS = {model.id: model for model in PROVIDER.models}
MESSAGES: list[dict[str, Any]] = [{"role": "user", "content": "hi"}]
PLAIN = Quirks()
HEADERS = ((b"anthropic-version", b"2026-10-21"), (b"anthropic-beta", b"a-2026-01-01"))
PICTURE = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "m", "max_tokens": 100, "messages": MESSAGES, **fields}).encode()


def sent(fields: dict[str, Any], model: str = "") -> tuple[Any, tuple[str, ...]]:
    """What Anthropic gets for a caller's fields, and what the caller is told."""
    offer = OFFERS.get(model)
    quirks = PROVIDER.quirks_of(offer) if model else PLAIN
    written = request.write(request.read(body(**fields)), model or "x", offer, quirks)
    assert written.path == b"/messages"
    return json.loads(written.body), written.adapted


def test_unknown_fields_reach_anthropic_and_our_options_never_do() -> None:
    fields = {"vendor": {"a": [1]}, "models": ["a"], "provider": {}, "fallbacks": [{"model": "b"}]}
    out, adapted = sent({**fields, "thread": {"type": "create"}, "temperature": 0.5})
    assert out == {
        "model": "x", "max_tokens": 100, "messages": MESSAGES, "vendor": {"a": [1]},
        "thread": {"type": "create"}, "temperature": 0.5,
    }  # fmt: skip
    assert adapted == ()


@pytest.mark.parametrize("model", ["", "claude-haiku-4-5", "claude-opus-4-6"])
def test_a_model_is_asked_to_go_on_where_nothing_of_a_history_is_left(model: str) -> None:
    thought = {"type": "thinking", "thinking": "hm", "signature": ""}
    history = {"messages": [{"role": "assistant", "content": [thought]}]}
    out, adapted = sent(history, model)
    assert out["messages"] == [{"role": "user", "content": "Continue."}]
    assert adapted == ("messages",)
    chat = request.read(body(**history))
    counted = request.write_count(chat, "x", PLAIN)
    assert json.loads(counted.body)["messages"] == out["messages"]


def test_fallbacks_that_are_anthropics_own_pass() -> None:
    headers = ((b"anthropic-beta", b"server-side-fallback-2026-07-01"),)
    chat = request.read(body(fallbacks=[{"model": "b"}]), headers)
    written = request.write(chat, "x", None, PLAIN)
    assert json.loads(written.body)["fallbacks"] == [{"model": "b"}]


def test_the_callers_version_and_betas_are_passed_on() -> None:
    more = ((b"anthropic-beta", b"b-2026-02-02"), (b"authorization", b"Bearer secret"))
    chat = request.read(body(), (*HEADERS, *more))
    headers = request.write(chat, "x", None, PLAIN).headers
    assert headers == (
        (b"anthropic-version", b"2026-10-21"),
        (b"anthropic-beta", b"a-2026-01-01,b-2026-02-02"),
    )


@pytest.mark.parametrize("version", [b"2099-01-01", b"2023-06-01"])
def test_any_version_that_is_a_date_is_accepted(version: bytes) -> None:
    assert request.read(body(), ((b"anthropic-version", version),)).headers[0][1] == version


@pytest.mark.parametrize("value", [b"x\r\nx-api-key: mine", b"latest", b""])
def test_a_version_that_is_none_is_not_passed_on(value: bytes) -> None:
    assert request.read(body(), ((b"anthropic-version", value),)).headers == ()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"model": 3}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"stream": "yes"}, "stream"),
        ({"tools": {}}, "tools"),
        ({"output_config": []}, "output_config"),
    ],
)
def test_a_field_of_the_wrong_type_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        request.read(body(**fields))
    assert refused.value.param == param


@pytest.mark.parametrize(
    ("fields", "needs"),
    [
        ({"tools": [{"name": "a", "input_schema": {}}]}, {"tools"}),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, set()),
        ({"output_config": {"format": {"type": "json_schema"}}}, {"json_schema"}),
        ({"output_config": {"effort": "high"}}, set()),
        ({"output_format": {"type": "json_schema"}}, {"json_schema"}),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, {"image"}),
        ({"messages": [{"role": "user", "content": 'say "image" "document"'}]}, set()),
        (
            {"messages": [{"role": "user", "content": [
                {"type": "tool_result", "content": [
                    {"type": "document", "source": {"type": "url"}}, {"type": "image"}]}]}]},
            {"image", "pdf"},
        ),
        (
            {"messages": [{"role": "user", "content": [
                {"type": "document", "source": {"type": "text", "data": "x"}}]}]},
            set(),
        ),
    ],
)  # fmt: skip
def test_what_a_request_needs_is_known(fields: dict[str, Any], needs: set[str]) -> None:
    assert request.read(body(**fields)).needs == needs


def test_a_model_that_refuses_sampling_gets_none_and_the_caller_is_told() -> None:
    out, adapted = sent({"temperature": 0, "top_p": 0.9, "top_k": 5}, "claude-sonnet-5")
    assert not {"temperature", "top_p", "top_k"} & out.keys()
    assert set(adapted) == {"temperature", "top_p", "top_k"}


def test_of_two_samplers_a_4_5_model_gets_the_temperature() -> None:
    out, adapted = sent({"temperature": 0.2, "top_p": 0.9}, "claude-sonnet-4-5")
    assert (out["temperature"], "top_p" in out, adapted) == (0.2, False, ("top_p",))


def test_a_maximum_beyond_the_model_is_clamped_with_its_budget() -> None:
    wish = {"type": "enabled", "budget_tokens": 100_000}
    out, adapted = sent({"max_tokens": 128_000, "thinking": wish}, "claude-haiku-4-5")
    assert out["max_tokens"] == 64_000
    assert out["thinking"]["budget_tokens"] < 64_000
    assert "max_tokens" in adapted


@pytest.mark.parametrize(
    ("model", "wish", "thinking", "effort"),
    [
        ("claude-sonnet-5", {"type": "enabled", "budget_tokens": 9000}, "adaptive", "high"),
        ("claude-sonnet-5", {"type": "adaptive"}, "adaptive", None),
        ("claude-opus-4-6", {"type": "enabled", "budget_tokens": 9000}, "enabled", None),
        ("claude-haiku-4-5", {"type": "adaptive"}, "enabled", None),
        ("claude-opus-5-5", {"type": "disabled"}, None, None),
        ("claude-3-haiku-20240307", {"type": "adaptive"}, None, None),
        ("claude-sonnet-5-5", {"type": "between_tools"}, "between_tools", None),
        ("claude-opus-5", {"type": "between_tools"}, "adaptive", None),
    ],
)
def test_thinking_that_a_model_refuses_becomes_what_it_takes(
    model: str, wish: dict[str, Any], thinking: str | None, effort: str | None
) -> None:
    out, adapted = sent({"max_tokens": 16_000, "thinking": wish}, model)
    kind = out.get("thinking", {}).get("type")
    assert kind == thinking
    assert out.get("output_config", {}).get("effort") == effort
    assert ("thinking" in adapted) == (kind != wish["type"])


def test_edits_of_thoughts_go_where_there_are_no_thoughts() -> None:
    edits = {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}
    fields = {"thinking": {"type": "adaptive"}, "context_management": edits}
    assert "context_management" not in sent(fields, "claude-3-haiku-20240307")[0]
    assert sent(fields, "claude-sonnet-5")[0]["context_management"] == edits


@pytest.mark.parametrize(
    ("model", "effort", "given"),
    [
        ("claude-sonnet-5", "max", "max"),
        ("claude-opus-4-5", "max", "high"),
        ("claude-opus-4-6", "xhigh", "high"),
        ("claude-haiku-4-5", "high", None),
    ],
)
def test_an_effort_that_a_model_does_not_know_is_lowered(
    model: str, effort: str, given: str | None
) -> None:
    out, adapted = sent({"output_config": {"effort": effort}}, model)
    assert out.get("output_config", {}).get("effort") == given
    assert ("output_config" in adapted) == (effort != given)


def test_a_forced_tool_that_a_model_refuses_is_left_to_it() -> None:
    choice = {"type": "tool", "name": "a", "disable_parallel_tool_use": True}
    fields = {"tools": [{"name": "a", "input_schema": {}}], "tool_choice": choice}
    out, adapted = sent(fields, "claude-opus-5-5")
    assert out["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert adapted == ("tool_choice",)
    assert sent(fields, "claude-sonnet-5")[0]["tool_choice"] == choice


def test_a_beginning_of_the_answer_is_kept_where_it_is_taken() -> None:
    messages = [*MESSAGES, {"role": "assistant", "content": "It is"}]
    out, adapted = sent({"messages": messages}, "claude-sonnet-5")
    assert out["messages"][-1]["role"] == "user"
    assert adapted == ("messages",)
    assert sent({"messages": messages}, "claude-haiku-4-5")[0]["messages"] == messages


def test_a_paused_turn_goes_back_as_it_is() -> None:
    paused = {"role": "assistant", "content": [{"type": "server_tool_use", "id": "s", "input": {}}]}
    out, adapted = sent({"messages": [*MESSAGES, paused]}, "claude-sonnet-5")
    assert (out["messages"][-1], adapted) == (paused, ())


def test_what_other_providers_left_in_the_history_does_not_break_it() -> None:
    messages = [
        *MESSAGES,
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "x", "signature": ""}]},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "x", "signature": ""},
            {"type": "thinking", "thinking": "y", "signature": "signed"},
            {"type": "tool_use", "id": "functions.f:0", "name": "f", "input": {}},
        ]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "functions.f:0"}]},
    ]  # fmt: skip
    out, adapted = sent({"messages": messages})
    _, answer, result = out["messages"]
    assert [block["type"] for block in answer["content"]] == ["thinking", "tool_use"]
    assert answer["content"][0]["signature"] == "signed"
    assert answer["content"][1]["id"] == result["content"][0]["tool_use_id"] == "functions_f_0"
    assert adapted == ("messages",)


def test_a_history_of_anthropics_own_is_not_touched() -> None:
    messages = [
        *MESSAGES,
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "", "signature": "signed"},
            {"type": "redacted_thinking", "data": "x"},
            {"type": "tool_use", "id": "toolu_01A", "name": "f", "input": {"a": 1.0}},
        ]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_01A"}]},
    ]  # fmt: skip
    assert sent({"messages": messages}) == (
        {"model": "x", "max_tokens": 100, "messages": messages}, (),
    )  # fmt: skip


def test_tokens_are_counted_exactly_where_anthropic_counts() -> None:
    raw = json.dumps({"model": "m", "messages": MESSAGES, "system": "s"}).encode()
    written = request.write_count(request.read_count(raw, HEADERS), "claude-sonnet-5", PLAIN)
    assert written.path == b"/messages/count_tokens"
    assert json.loads(written.body) == {
        "model": "claude-sonnet-5", "messages": MESSAGES, "system": "s",
    }  # fmt: skip
    assert written.headers[0] == (b"anthropic-version", b"2026-10-21")


def counted(**fields: Any) -> int:
    raw = json.dumps({"model": "m", "messages": MESSAGES, **fields}).encode()
    return request.count(request.read_count(raw))


def test_an_estimate_of_tokens_grows_with_what_the_model_reads() -> None:
    plain = counted()
    assert counted(system="x" * 700) - plain == 200
    assert counted(system=[{"type": "text", "text": "x" * 700}]) - plain == 200
    assert counted(tools=[{"name": "a", "input_schema": {}}]) > plain
    assert counted(metadata={"user_id": "x" * 700}) == plain
    assert counted(messages=[*MESSAGES, *MESSAGES]) > plain + 3


def test_a_picture_is_counted_as_one_however_many_bytes_it_has() -> None:
    def with_picture(size: int) -> dict[str, Any]:
        data = base64.b64encode(b"x" * size).decode()
        block = {"type": "image", "source": {**PICTURE, "data": data}}
        return {"messages": [{"role": "user", "content": [block]}]}

    small, large = with_picture(100), with_picture(100_000)
    assert counted(**small) == counted(**large)
    assert request.read(body(**small)).input_tokens == pytest.approx(
        request.read(body(**large)).input_tokens, abs=2
    )
    assert counted(**small) > 1500


ODD: list[Any] = [
    None, True, 3, -1, 1.5, "x", "", [], {}, [None], [3], {"type": 3}, {"type": []},
    [{"type": "text"}], [{"type": []}], {"type": "text", "text": None},
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to everything within a body."""
    yield path
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        yield from places(value[key], (*path, key))


def changed(body: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    found = copy.deepcopy(body)
    inner = found
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return found


FULL = {
    **json.loads((FIXTURES / "request.json").read_bytes()),
    "tool_choice": {"type": "tool", "name": "get_weather"},
    "temperature": 1, "top_k": 3, "output_format": None, "context_management": {"edits": []},
    "tools": [{"name": "get_weather", "strict": True, "input_schema": {
        "type": "object", "required": ["a"], "anyOf": [{"properties": {"a": {}}, "required": []}],
        "properties": {"a": {"type": ["string"], "format": "date", "minItems": 2}}}}],
}  # fmt: skip


@pytest.mark.parametrize("model", ["claude-sonnet-5", "claude-haiku-4-5", "claude-opus-5-5"])
@pytest.mark.parametrize("path", places(FULL), ids=str)
def test_whatever_stands_anywhere_is_taken_or_refused(path: tuple[Any, ...], model: str) -> None:
    offer = OFFERS[model]
    quirks = PROVIDER.quirks_of(offer)
    for odd in ODD:
        raw = json.dumps(changed(FULL, path, odd)).encode()
        try:
            chat = request.read(raw)
            assert request.count(chat) > 0
            assert json.loads(request.write(chat, model, offer, quirks).body)["model"] == model
            meaning = request.converse(chat)
            written = request.write_conversation(
                meaning, model=model, offer=offer, quirks=quirks, stream=True
            )
            assert json.loads(written.body)["model"] == model
        except InvalidRequest as refused:
            assert str(refused)


@pytest.mark.parametrize("model", OFFERS)
def test_every_model_of_the_catalogue_says_how_it_thinks(model: str) -> None:
    offer = OFFERS[model]
    quirks = PROVIDER.quirks_of(offer)
    assert bool(quirks.thinking) == offer.has("reasoning") == offer.reasons
    assert ("temperature" in quirks.drop) != offer.has("sampling")
    assert quirks.thinking_types
    assert isinstance(offer, ModelOffer)
    assert offer.output


def test_a_picture_is_seen_however_its_type_is_spelt() -> None:
    plain = body(messages=[{"role": "user", "content": [{"type": "image"}]}])
    assert request.read(plain.replace(b'"image"', rb'"im\u0061ge"')).needs == {"image"}
