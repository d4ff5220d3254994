"""Signed thoughts: given back to whom they belong, forgotten in time, never too many."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.conversation import (
    Block,
    Conversation,
    HiddenPiece,
    HiddenThinking,
    SignaturePiece,
    Text,
    TextPiece,
    Thinking,
    ThinkingPiece,
    ToolBegun,
    ToolCall,
    ToolPiece,
    ToolResult,
    Turn,
)
from routing.thoughts import OVERHEAD_BYTES, Thoughts

TENANT, OTHER = UUID(int=1), UUID(int=2)
HELLO = Turn("user", (Text("Hello"),))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def thoughts(clock: Clock) -> Thoughts:
    return Thoughts(clock=clock)


def call(id_: str, signature: str = "") -> ToolCall:
    return ToolCall(id=id_, name="f", arguments="{}", signature=signature)


def thought(text: str, signer: str = "anthropic") -> Thinking:
    return Thinking(text=text, signature=f"signed {text}", signer=signer)


def history(*blocks: Block) -> Conversation:
    """A conversation in which the model said this and then got results."""
    calls = [block for block in blocks if isinstance(block, ToolCall)]
    results = tuple(ToolResult(id=one.id, content=(Text("r"),)) for one in calls)
    return Conversation(turns=(HELLO, Turn("assistant", blocks), Turn("user", results)))


def said(conversation: Conversation) -> tuple[Block, ...]:
    return tuple(b for t in conversation.turns if t.role == "assistant" for b in t.blocks)


def restored(
    thoughts: Thoughts, *blocks: Block, tenant: UUID = TENANT, signer: str = "anthropic"
) -> tuple[Block, ...]:
    return said(thoughts.restore(history(*blocks), tenant=tenant, signer=signer))


# What comes back ------------------------------------------------------------------------------


def test_calls_get_their_signatures_back(thoughts: Thoughts) -> None:
    thoughts.remember(TENANT, (call("a", "SIGN"), call("b")), signer="gemini")
    found = restored(thoughts, call("a"), call("b"), signer="gemini")
    assert found == (call("a", "SIGN"), call("b"))


def test_a_signature_that_the_caller_kept_stands(thoughts: Thoughts) -> None:
    thoughts.remember(TENANT, (call("a", "OURS"),), signer="gemini")
    assert restored(thoughts, call("a", "THEIRS"), signer="gemini") == (call("a", "THEIRS"),)


def test_thoughts_come_back_in_front_of_what_the_model_said(thoughts: Thoughts) -> None:
    hidden = HiddenThinking(data="OPAQUE", signer="anthropic")
    answer = (thought("one"), hidden, Text("Let us see."), call("a"), call("b"))
    thoughts.remember(TENANT, answer, signer="anthropic")
    assert restored(thoughts, Text("Let us see."), call("a"), call("b")) == answer


def test_thoughts_between_calls_come_back_between_them(thoughts: Thoughts) -> None:
    answer = (thought("one"), call("a"), thought("two"), call("b"))
    thoughts.remember(TENANT, answer, signer="anthropic")
    assert restored(thoughts, call("a"), call("b")) == answer


def test_an_answer_that_comes_back_in_several_turns_begins_with_its_thoughts(
    thoughts: Thoughts,
) -> None:
    thoughts.remember(TENANT, (thought("one"), Text("t"), call("a")), signer="anthropic")
    parts = Turn("assistant", (Text("t"),)), Turn("assistant", (call("a"),))
    conversation = Conversation(turns=(HELLO, *parts, HELLO))
    found = thoughts.restore(conversation, tenant=TENANT, signer="anthropic")
    assert said(found) == (thought("one"), Text("t"), call("a"))
    assert [turn.role for turn in found.turns] == [turn.role for turn in conversation.turns]


def test_a_caller_that_kept_its_thoughts_is_left_alone(thoughts: Thoughts) -> None:
    thoughts.remember(TENANT, (thought("one"), call("a")), signer="anthropic")
    conversation = history(thought("other"), call("a"))
    found = thoughts.restore(conversation, tenant=TENANT, signer="anthropic")
    assert found is conversation


def test_every_answer_of_a_long_conversation_gets_its_own(thoughts: Thoughts) -> None:
    answers = [(thought(name), call(name)) for name in "abc"]
    for answer in answers:
        thoughts.remember(TENANT, answer, signer="anthropic")
    turns = [turn for name in "abc" for turn in history(call(name)).turns]
    found = thoughts.restore(Conversation(turns=tuple(turns)), tenant=TENANT, signer="anthropic")
    assert said(found) == tuple(block for answer in answers for block in answer)


def test_a_stream_is_kept_as_its_whole_answer_is(thoughts: Thoughts) -> None:
    collector = thoughts.collector(TENANT, "anthropic")
    for piece in (
        ThinkingPiece("on"),
        ThinkingPiece("e"),
        SignaturePiece("signed one", "anthropic"),
        HiddenPiece("OPAQUE", "anthropic"),
        TextPiece("t"),
        ToolBegun(index=0, id="a", name="f"),
        ToolPiece(0, "{}"),
        ThinkingPiece("unsigned"),
        ToolBegun(index=1, id="b", name="f"),
    ):
        collector.see(piece)
    hidden = HiddenThinking(data="OPAQUE", signer="anthropic")
    found = restored(thoughts, Text("t"), call("a"), call("b"))
    assert found == (thought("one"), hidden, Text("t"), call("a"), call("b"))


# What does not --------------------------------------------------------------------------------


def test_nobody_gets_what_belongs_to_another_tenant_or_another_signer(thoughts: Thoughts) -> None:
    thoughts.remember(TENANT, (thought("one"), call("a", "SIGN")), signer="anthropic")
    assert restored(thoughts, call("a"), tenant=OTHER) == (call("a"),)
    assert restored(thoughts, call("a"), signer="gemini") == (call("a"),)


def test_what_another_signer_signed_is_left_out_and_what_nobody_signed_is_not(
    thoughts: Thoughts,
) -> None:
    foreign = thought("x"), HiddenThinking(data="y", signer="anthropic")
    unsigned = Thinking(text="z")
    found = restored(thoughts, *foreign, unsigned, Text("t"), signer="gemini")
    assert found == (unsigned, Text("t"))


def test_a_turn_of_foreign_thoughts_alone_disappears(thoughts: Thoughts) -> None:
    conversation = Conversation(turns=(HELLO, Turn("assistant", (thought("x"),)), HELLO))
    found = thoughts.restore(conversation, tenant=TENANT, signer="gemini")
    assert found.turns == (HELLO, HELLO)


def test_a_conversation_with_nothing_to_change_is_the_same_object(thoughts: Thoughts) -> None:
    conversation = history(Text("t"), call("a"))
    assert thoughts.restore(conversation, tenant=TENANT, signer="gemini") is conversation


def test_calls_that_nothing_is_known_of_take_no_room(thoughts: Thoughts) -> None:
    thoughts.remember(TENANT, (Thinking(text="unsigned"), call("a")), signer="gemini")
    assert len(thoughts) == 0


# For how long, and how many -------------------------------------------------------------------


def test_after_an_hour_all_is_forgotten(thoughts: Thoughts, clock: Clock) -> None:
    thoughts.remember(TENANT, (call("a", "SIGN"),), signer="gemini")
    clock.now += 3599
    assert restored(thoughts, call("a"), signer="gemini") == (call("a", "SIGN"),)
    clock.now += 1
    assert restored(thoughts, call("a"), signer="gemini") == (call("a"),)
    assert (len(thoughts), thoughts.size) == (0, 0)


def test_what_is_over_time_goes_when_something_new_comes(thoughts: Thoughts, clock: Clock) -> None:
    thoughts.remember(TENANT, (call("a", "SIGN"),), signer="gemini")
    clock.now += 4000
    thoughts.remember(TENANT, (call("b", "SIGN"),), signer="gemini")
    assert len(thoughts) == 1


def test_the_oldest_goes_first_when_there_are_too_many(clock: Clock) -> None:
    thoughts = Thoughts(clock=clock, most_entries=2)
    for name in ("a", "b", "a", "c"):  # "a" is the younger one of the first two
        thoughts.remember(TENANT, (call(name, name.upper()),), signer="gemini")
    found = restored(thoughts, call("a"), call("b"), call("c"), signer="gemini")
    assert [one.signature for one in found if isinstance(one, ToolCall)] == ["A", "", "C"]


def test_one_that_is_too_large_is_not_kept_and_pushes_nobody_out(clock: Clock) -> None:
    thoughts = Thoughts(clock=clock, most_bytes=2 * OVERHEAD_BYTES)
    thoughts.remember(TENANT, (call("a", "SIGN"),), signer="gemini")
    thoughts.remember(TENANT, (call("b", "x" * 1000),), signer="gemini")
    assert restored(thoughts, call("a"), signer="gemini") == (call("a", "SIGN"),)
    assert restored(thoughts, call("b"), signer="gemini") == (call("b"),)


@given(
    kept=st.lists(
        st.tuples(st.sampled_from("abcdef"), st.text(max_size=900), st.floats(0, 2000)),
        max_size=40,
    )
)
def test_bounds_hold_and_the_sum_of_sizes_is_right(kept: list[tuple[str, str, float]]) -> None:
    clock = Clock()
    thoughts = Thoughts(clock=clock, most_entries=4, most_bytes=4000)
    for name, signature, passed in kept:
        clock.now += passed
        thoughts.keep((TENANT, name), "gemini", signature, ())
        assert len(thoughts) <= 4
        assert thoughts.size <= 4000
        assert thoughts.size == sum(one.size for one in thoughts._kept.values())
