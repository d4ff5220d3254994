"""The official clients of OpenAI and Anthropic understand the sandbox."""

from collections.abc import Iterator

import anthropic
import openai
import pytest
from pydantic import BaseModel

from tests.routing.sandbox.server import Sandbox
from tests.routing.sandbox.speaking import WEATHER, Json


@pytest.fixture
def gpt(sandbox: Sandbox) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="k", base_url=f"{sandbox.url}/openai/v1", max_retries=0) as client:
        yield client


@pytest.fixture
def claude(sandbox: Sandbox) -> Iterator[anthropic.Anthropic]:
    url = f"{sandbox.url}/anthropic"
    with anthropic.Anthropic(api_key="k", base_url=url, max_retries=0) as client:
        yield client


class Day(BaseModel):
    city: str
    high: float
    tags: list[str]


def test_openai_chats(gpt: openai.OpenAI) -> None:
    done = gpt.chat.completions.create(
        model="gpt-5-mini", messages=[{"role": "user", "content": "Hi"}]
    )

    assert done.usage is not None
    assert done.usage.completion_tokens_details is not None
    assert done.usage.completion_tokens_details.reasoning_tokens
    assert "[sandbox]" in (done.choices[0].message.content or "")
    assert done.choices[0].finish_reason == "stop"


def test_openai_streams_with_usage(gpt: openai.OpenAI) -> None:
    chunks = list(
        gpt.chat.completions.create(
            model="gpt-4o-mini",
            messages=[{"role": "user", "content": "Hi"}],
            stream=True,
            stream_options={"include_usage": True},
        )
    )

    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text.startswith("[sandbox]")
    assert chunks[-1].usage is not None


def test_openai_gathers_streamed_tool_calls(gpt: openai.OpenAI) -> None:
    function: Json = {"name": "get_weather", "parameters": WEATHER}
    with gpt.chat.completions.stream(
        model="gpt-4o-mini",
        messages=[{"role": "user", "content": "Use the tool in parallel."}],
        tools=[{"type": "function", "function": function}],  # type: ignore[typeddict-item]
    ) as stream:
        done = stream.get_final_completion()

    calls = done.choices[0].message.tool_calls or []
    assert [call.function.name for call in calls] == ["get_weather"] * 2


def test_openai_parses_structured_output(gpt: openai.OpenAI) -> None:
    done = gpt.chat.completions.parse(
        model="gpt-4o-mini", messages=[{"role": "user", "content": "Hi"}], response_format=Day
    )

    assert isinstance(done.choices[0].message.parsed, Day)


def test_openai_responds(gpt: openai.OpenAI) -> None:
    done = gpt.responses.create(model="gpt-5-mini", input="Hi", reasoning={"summary": "auto"})

    assert done.output_text.startswith("[sandbox]")
    assert [item.type for item in done.output] == ["reasoning", "message"]
    assert done.usage is not None
    assert done.usage.output_tokens_details.reasoning_tokens


def test_openai_streams_a_response(gpt: openai.OpenAI) -> None:
    with gpt.responses.stream(model="gpt-4o-mini", input="Hi") as stream:
        names = [event.type for event in stream]
        done = stream.get_final_response()

    assert names[-1] == "response.completed"
    assert done.output_text.startswith("[sandbox]")


def test_openai_embeds_and_lists(gpt: openai.OpenAI) -> None:
    vectors = gpt.embeddings.create(model="text-embedding-3-small", input=["a", "b"])

    assert [len(one.embedding) for one in vectors.data] == [1536, 1536]
    assert "gpt-4o-mini" in [model.id for model in gpt.models.list()]


@pytest.mark.parametrize(
    ("key", "model", "error"),
    [
        ("bad-key", "gpt-4o", openai.AuthenticationError),
        ("k", "unknown-1", openai.NotFoundError),
        ("nocredit", "gpt-4o", openai.RateLimitError),
    ],
)
def test_openai_raises_its_own_errors(
    gpt: openai.OpenAI, key: str, model: str, error: type[openai.APIStatusError]
) -> None:
    with pytest.raises(error):
        gpt.with_options(api_key=key).chat.completions.create(
            model=model, messages=[{"role": "user", "content": "Hi"}]
        )


def test_anthropic_answers(claude: anthropic.Anthropic) -> None:
    done = claude.messages.create(
        model="claude-opus-4-8",
        max_tokens=1000,
        thinking={"type": "adaptive"},
        messages=[{"role": "user", "content": "Hi"}],
    )

    assert [block.type for block in done.content] == ["thinking", "text"]
    assert done.stop_reason == "end_turn"
    assert done.usage.output_tokens_details is not None
    assert done.usage.output_tokens_details.thinking_tokens


def test_anthropic_streams_what_it_answers(claude: anthropic.Anthropic) -> None:
    with claude.messages.stream(
        model="claude-sonnet-5",
        max_tokens=1000,
        tools=[{"name": "get_weather", "input_schema": dict(WEATHER)}],
        messages=[{"role": "user", "content": "Use the tool."}],
    ) as stream:
        done = stream.get_final_message()

    block = done.content[0]
    assert block.type == "tool_use"
    assert block.input == {"city": "sandbox city", "days": 2}
    assert done.stop_reason == "tool_use"


def test_anthropic_counts_and_lists(claude: anthropic.Anthropic) -> None:
    counted = claude.messages.count_tokens(
        model="claude-sonnet-5", messages=[{"role": "user", "content": "Hi"}]
    )

    assert counted.input_tokens > 0
    assert len(list(claude.models.list(limit=1))) == 3


@pytest.mark.parametrize(
    ("key", "model", "error"),
    [
        ("bad-key", "claude-sonnet-5", anthropic.AuthenticationError),
        ("k", "unknown-1", anthropic.NotFoundError),
        ("nocredit", "claude-sonnet-5", anthropic.BadRequestError),
    ],
)
def test_anthropic_raises_its_own_errors(
    claude: anthropic.Anthropic, key: str, model: str, error: type[anthropic.APIStatusError]
) -> None:
    with pytest.raises(error):
        claude.with_options(api_key=key).messages.create(
            model=model, max_tokens=10, messages=[{"role": "user", "content": "Hi"}]
        )


@pytest.mark.parametrize("path", ["groq/openai/v1", "xai/v1", "mistral/v1", "openrouter/api/v1"])
def test_openais_client_understands_other_providers_streams(sandbox: Sandbox, path: str) -> None:
    with openai.OpenAI(api_key="k", base_url=f"{sandbox.url}/{path}", max_retries=0) as client:
        chunks = list(
            client.chat.completions.create(
                model="some-model", messages=[{"role": "user", "content": "Hi"}], stream=True
            )
        )

    assert any(chunk.usage for chunk in chunks)
