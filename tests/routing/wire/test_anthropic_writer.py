"""Pieces of any provider, written as a stream that Anthropic's own clients read."""

from hypothesis import given
from hypothesis import strategies as st

from routing.conversation import (
    Counted,
    Finish,
    Finished,
    HiddenPiece,
    Piece,
    RefusalPiece,
    SignaturePiece,
    TextPiece,
    ThinkingPiece,
    ToolBegun,
    ToolPiece,
)  # fmt: skip
from routing.wire.anthropic.stream import Writer
from routing.wire.sides import Envelope
from tests.routing.wire.anthropic_speech import COST, SAMPLE, USED, events, message, pieces

ENVELOPE = Envelope(body_id="msg_ours", model="gpt-5", created=1, input_tokens=40)


def written(*found: Piece, envelope: Envelope = ENVELOPE) -> bytes:
    writer = Writer(envelope)
    return b"".join(map(writer.write, found)) + writer.close(USED, COST)


def test_a_stream_of_anthropics_own_is_written_as_it_was_read() -> None:
    out = message(written(*pieces(SAMPLE, [])))
    theirs = message(SAMPLE)
    assert out.content == theirs.content
    assert out.stop_reason == theirs.stop_reason
    assert (out.id, out.model) == ("msg_ours", "gpt-5")
    assert out.usage.output_tokens == 45


def test_the_first_figures_are_never_zero() -> None:
    for tokens, told in ((40, 40), (0, 1)):
        envelope = Envelope(body_id="m", model="x", created=1, input_tokens=tokens)
        start = events(written(TextPiece("a"), envelope=envelope))[0]["message"]
        assert start["usage"]["input_tokens"] == told
        assert start["usage"]["output_tokens"] > 0
        assert start["usage"]["cache_read_input_tokens"] == 0


def test_the_last_figures_carry_the_cost() -> None:
    *_, last, stop = events(written(TextPiece("a"), Finished("stop"), Counted(USED)))
    assert last["usage"]["cost"] == 0.000012
    assert last["usage"]["output_tokens_details"] == {"thinking_tokens": 20}
    assert stop == {"type": "message_stop"}


def test_nothing_is_written_before_there_is_content() -> None:
    writer = Writer(ENVELOPE)
    assert writer.write(TextPiece("")) == b""
    assert writer.write(Counted(USED)) == b""
    assert events(writer.close(USED, None))[0]["type"] == "message_start"


def test_thoughts_that_others_signed_get_no_signature() -> None:
    out = message(written(ThinkingPiece("hm"), SignaturePiece("s", "gemini"), TextPiece("a"),
                          HiddenPiece("d", "openai")))  # fmt: skip
    assert [block.type for block in out.content] == ["thinking", "text"]
    assert b"signature_delta" not in written(ThinkingPiece("hm"), SignaturePiece("s", "gemini"))


def test_a_signature_ends_its_thoughts() -> None:
    out = message(
        written(
            ThinkingPiece("a"), SignaturePiece("s", "anthropic"),
            ThinkingPiece("b"), SignaturePiece("t", "anthropic"), TextPiece("c"),
        )
    )  # fmt: skip
    thoughts = [(b.thinking, b.signature) for b in out.content if b.type == "thinking"]
    assert thoughts == [("a", "s"), ("b", "t")]


def test_hidden_thoughts_of_anthropics_are_one_block() -> None:
    out = message(written(SignaturePiece("s", "anthropic"), HiddenPiece("d", "anthropic")))
    assert [block.type for block in out.content] == ["thinking", "redacted_thinking"]


def test_a_refusal_is_told_as_one() -> None:
    out = message(written(RefusalPiece("No."), Finished("stop")))
    assert out.stop_reason == "refusal"
    assert out.stop_details is not None
    assert out.stop_details.explanation == "No."


def test_a_stop_sequence_is_told() -> None:
    out = message(written(TextPiece("a"), Finished("stop", "END")))
    assert (out.stop_reason, out.stop_sequence) == ("stop_sequence", "END")


def begun(index: int) -> ToolBegun:
    return ToolBegun(index=index, id=f"call_{index}", name="f")


def test_a_call_is_written_as_it_comes() -> None:
    writer = Writer(ENVELOPE)
    assert b"tool_use" in writer.write(begun(0))
    assert rb"{\"a\":" in writer.write(ToolPiece(0, '{"a":'))


def test_a_second_call_waits_until_the_first_is_whole() -> None:
    writer = Writer(ENVELOPE)
    writer.write(begun(0))
    assert writer.write(begun(1)) == b""
    assert writer.write(ToolPiece(1, '{"b":1}')) == b""
    out = writer.write(ToolPiece(0, "{}"))
    assert [e["type"] for e in events(out)] == [
        "content_block_delta", "content_block_stop", "content_block_start", "content_block_delta",
    ]  # fmt: skip


@st.composite
def interleaved(draw: st.DrawFn) -> tuple[list[Piece], list[str], str]:
    """Calls whose pieces come in any order, with text in between; their arguments; the text."""
    whole = draw(st.lists(st.sampled_from(["", "{}", '{"a": "}"}', '{"b": {"c": [1]}}']),
                          min_size=1, max_size=4))  # fmt: skip
    waiting: list[list[Piece]] = []
    for index, arguments in enumerate(whole):
        cut = draw(st.integers(0, len(arguments)))
        halves = [half for half in (arguments[:cut], arguments[cut:]) if half]
        waiting.append([begun(index), *(ToolPiece(index, half) for half in halves)])
    texts: list[Piece] = [TextPiece(part) for part in draw(st.lists(st.sampled_from("xyz")))]
    waiting.append(list(texts))
    found: list[Piece] = []
    next_call = 0
    while any(waiting):
        ready = [queue for number, queue in enumerate(waiting)
                 if queue and (number <= next_call or number == len(waiting) - 1)]  # fmt: skip
        queue = draw(st.sampled_from(ready))
        piece = queue.pop(0)
        next_call += isinstance(piece, ToolBegun)
        found.append(piece)
    return found, whole, "".join(piece.text for piece in texts if isinstance(piece, TextPiece))


@given(interleaved())
def test_interleaved_calls_become_blocks_in_their_order(
    given_: tuple[list[Piece], list[str], str],
) -> None:
    found, whole, said = given_
    stream = written(*found, Finished("tool_calls"))
    inputs: dict[int, str] = {}
    open_block = None
    for one in events(stream):
        if one["type"] == "content_block_start":
            assert open_block is None
            open_block = one["index"]
            if one["content_block"]["type"] == "tool_use":
                inputs[open_block] = ""
        elif one["type"] == "content_block_delta":
            assert one["index"] == open_block
            if open_block in inputs:
                inputs[open_block] += one["delta"]["partial_json"]
        elif one["type"] == "content_block_stop":
            assert one["index"] == open_block
            open_block = None
    assert list(inputs.values()) == whole
    out = message(stream)
    assert "".join(block.text for block in out.content if block.type == "text") == said
    assert [b.id for b in out.content if b.type == "tool_use"] == [
        f"call_{index}" for index in range(len(whole))
    ]
    assert out.stop_reason == "tool_use"


@given(
    found=st.lists(
        st.one_of(
            st.builds(TextPiece, st.text(max_size=4)),
            st.builds(ThinkingPiece, st.text(max_size=4)),
            st.builds(SignaturePiece, st.just("s"), st.sampled_from(["anthropic", "gemini"])),
            st.builds(HiddenPiece, st.just("d"), st.sampled_from(["anthropic", "openai"])),
            st.builds(RefusalPiece, st.text(max_size=4)),
        )
    ),
    finish=st.sampled_from(["stop", "length", "content_filter"]),
)
def test_whatever_is_written_the_official_client_reads_the_same(
    found: list[Piece], finish: Finish
) -> None:
    out = message(written(*found, Finished(finish)))
    said = [p.text for p in found if isinstance(p, TextPiece | RefusalPiece)]
    thought = [p.text for p in found if isinstance(p, ThinkingPiece)]
    assert "".join(b.text for b in out.content if b.type == "text") == "".join(said)
    assert "".join(b.thinking for b in out.content if b.type == "thinking") == "".join(thought)
