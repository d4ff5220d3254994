"""A kept answer told again, recorded, sealed and opened is the same answer."""

import os
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.usage import Usage
from routing import dialects
from routing.cache import entries
from routing.cache.entries import Broken, Entry
from routing.cache.recording import Recorder
from routing.conversation import Answer, Block, HiddenThinking, Refusal, Text, Thinking, ToolCall
from routing.providers.spec import Quirks
from routing.replaying import pieces_of
from routing.wire.sides import Envelope

TENANT, KEY, DATA_KEY = UUID(int=7), b"k" * 32, bytes(range(32))
USAGE = Usage(input_uncached=3, output_visible=4, reasoning=1)

words = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=300)
calls = st.builds(ToolCall, id=st.uuids().map(str), name=st.just("f"), arguments=words.map(repr))
signed = st.builds(
    Thinking, text=words, signature=st.sampled_from(["", "c2ln"]), signer=st.just("")
).map(lambda block: block if block.signature else Thinking(text=block.text))


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """Thoughts, text, calls: as models speak."""
    blocks: list[Block] = []
    if draw(st.booleans()):
        blocks.append(draw(signed))
    if draw(st.booleans()):
        blocks.append(HiddenThinking(data="aGlk", signer="anthropic"))
    blocks.append(Text(draw(words)))
    blocks += draw(st.lists(calls, max_size=3))
    finish = "tool_calls" if isinstance(blocks[-1], ToolCall) else "stop"
    return Answer(blocks=tuple(blocks), finish=finish, model="m", usage=USAGE)  # type: ignore[arg-type]


def entry(answer: Answer) -> Entry:
    return Entry(
        answer=answer, usage=USAGE, provider="groq", model="m", finish_reason="stop",
        created_at=1.0, expires_at=2.0,
    )  # fmt: skip


@given(answers())
def test_what_is_told_again_is_what_was_said(answer: Answer) -> None:
    recorder = Recorder()
    for piece in pieces_of(answer):
        recorder.see(piece)

    assert recorder.answer(model="m", usage=USAGE) == answer


@given(answers())
def test_what_is_sealed_opens_as_it_was(answer: Answer) -> None:
    sealed = entries.seal(entry(answer), data_key=DATA_KEY, tenant=TENANT, key=KEY)

    opened = entries.unseal(sealed, data_key=DATA_KEY, tenant=TENANT, key=KEY)
    assert opened == entry(answer)


@given(answers())
def test_openai_chunks_of_a_kept_answer_are_read_as_the_same_words(answer: Answer) -> None:
    envelope = Envelope(body_id="chatcmpl-1", model="m", created=1)
    writer = dialects.CALLERS["openai"].writer(envelope)
    stream = b"".join(writer.write(piece) for piece in pieces_of(answer))
    stream += writer.close(USAGE, None)
    recorder, reader = Recorder(), dialects.PROVIDERS["openai"].reader(Quirks())
    for piece in [*reader.feed(stream), *reader.end()]:
        recorder.see(piece)

    heard = recorder.answer(model=reader.model, usage=USAGE)
    assert heard is not None
    assert heard.finish == answer.finish
    for kind in (Text, ToolCall):
        assert [b for b in heard.blocks if type(b) is kind] == [
            b for b in answer.blocks if type(b) is kind
        ]


@pytest.mark.parametrize("other", [{"key": b"o" * 32}, {"tenant": UUID(int=8)}, {"data_key": KEY}])
def test_a_row_moved_to_another_key_or_tenant_does_not_open(other: dict[str, object]) -> None:
    own = {"data_key": DATA_KEY, "tenant": TENANT, "key": KEY}
    sealed = entries.seal(entry(Answer(blocks=(Text("hi"),), finish="stop")), **own)  # type: ignore[arg-type]

    with pytest.raises(Broken):
        entries.unseal(sealed, **{**own, **other})  # type: ignore[arg-type]


def test_garbage_does_not_open() -> None:
    with pytest.raises(Broken):
        entries.unseal(os.urandom(90), data_key=DATA_KEY, tenant=TENANT, key=KEY)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(blocks=(), finish="stop"),
        Answer(blocks=(Text(""),), finish="stop"),
        Answer(blocks=(Thinking(text="hm"),), finish="stop"),
        Answer(blocks=(Text("half"),), finish="length"),
        Answer(blocks=(Text("no"),), finish="content_filter"),
        Answer(blocks=(Text("x"), Refusal("no")), finish="stop"),
    ],
)
def test_what_is_not_whole_or_says_nothing_is_not_kept(answer: Answer) -> None:
    assert not entries.is_keepable(answer)


def test_a_stream_that_never_said_it_was_over_is_no_answer() -> None:
    recorder = Recorder()
    for piece in list(pieces_of(Answer(blocks=(Text("hi"),), finish="stop")))[:-1]:
        recorder.see(piece)

    assert recorder.answer(model="m", usage=USAGE) is None
