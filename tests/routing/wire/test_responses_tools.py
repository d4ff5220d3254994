"""Tools of a Responses request: flat names for providers, and the way back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.conversation import (
    ToolCall,
    ToolChoice,
)
from routing.wire.responses.tools import LONGEST_NAME
from tests.routing.wire.responses_speech import (
    TOOLS,
    asked,
    pieces_of,
    said,
    streamed,
)

Json = dict[str, Any]


@pytest.mark.parametrize(
    ("choice", "expected", "told"),
    [
        ("none", ToolChoice(mode="none"), ()),
        ("required", ToolChoice(mode="required"), ()),
        ({"type": "custom", "name": "apply_patch"},
         ToolChoice(mode="named", name="apply_patch"), ()),
        ({"type": "function", "name": "read", "namespace": "files"},
         ToolChoice(mode="named", name="files__read"), ()),
        ({"type": "allowed_tools", "mode": "required", "tools": [
            {"type": "function", "name": "weather"}, {"type": "namespace", "name": "files"}]},
         ToolChoice(mode="required", only=("weather", "files__read", "files__patch")), ()),
        ({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "web_search"}]},
         ToolChoice(mode="none"), ("tool_choice",)),
        ({"type": "web_search_preview"}, ToolChoice(), ("tool_choice",)),
    ],
)  # fmt: skip
def test_a_choice_of_tools_names_them_as_providers_do(
    choice: Any, expected: ToolChoice, told: tuple[str, ...]
) -> None:
    talk = asked(tools=TOOLS, tool_choice=choice)

    assert talk.tool_choice == expected
    assert talk.untranslatable == (*told, "tools")


def test_where_no_tool_is_left_there_is_no_choice() -> None:
    talk = asked(tools=[{"type": "web_search"}], tool_choice="required", parallel_tool_calls=True)

    assert (talk.tools, talk.tool_choice) == ((), None)
    assert talk.untranslatable == ("tool_choice", "tools")


_names = st.text(alphabet="ab_-.", min_size=1, max_size=70)


@given(
    spaces=st.dictionaries(_names, st.sets(_names, min_size=1, max_size=3), min_size=1, max_size=3)
)
def test_every_tool_has_a_name_of_its_own_that_leads_back(spaces: dict[str, set[str]]) -> None:
    called = {(space, name) for space, names in spaces.items() for name in names}
    tools: list[Json] = [
        {"type": "namespace", "name": space, "description": "", "tools": [
            {"type": "function", "name": name} for name in names]}
        for space, names in spaces.items()
    ]  # fmt: skip
    alike = "__".join(min(called))[:LONGEST_NAME]
    tools.append({"type": "function", "name": alike})
    flat = [tool.name for tool in asked(tools=tools).tools]

    assert len(set(flat)) == len(flat) == len(called) + 1
    assert all(len(name) <= LONGEST_NAME for name in flat)
    calls = [ToolCall(id=f"c{n}", name=name, arguments="{}") for n, name in enumerate(flat)]
    output = streamed(pieces_of(calls, "tool_calls"), {"tools": tools})[-1]["response"]["output"]
    found = {(call.get("namespace", ""), call["name"]) for call in output}
    assert found == called | {("", alike)}
    again = said({"role": "user", "content": "hi"}, *output, tools=tools)
    assert [call.name for call in again.turns[1].blocks if isinstance(call, ToolCall)] == flat
