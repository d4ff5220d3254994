"""Every provider answers in its own dialect: the same, realistic, and marked as the sandbox's."""

import json

import jsonschema
import pytest

from tests.routing.sandbox import speakers
from tests.routing.sandbox.server import Sandbox
from tests.routing.sandbox.speakers import ALL, BY_NAME
from tests.routing.sandbox.speaking import Reply, Speaker

every_speaker = pytest.mark.parametrize("speaker", ALL, ids=str)


def ask(sandbox: Sandbox, speaker: Speaker, text: str = "Say hello.", **options: object) -> Reply:
    model = str(options.pop("model", speaker.model))
    body = speaker.body(text, model=model, **options)
    stream = bool(options.get("stream"))
    url = speaker.url(stream=stream, model=model)
    answer = sandbox.post(url, body, dict(speaker.headers))
    assert answer.status_code == 200, answer.text
    return speaker.read_stream(answer.content) if stream else speaker.read(answer.json())


@every_speaker
def test_an_answer_says_that_it_is_the_sandboxs_and_repeats_the_question(
    sandbox: Sandbox, speaker: Speaker
) -> None:
    reply = ask(sandbox, speaker, "What is the capital of Norway?")

    assert reply.text.startswith("[sandbox] ")
    assert speaker.model in reply.text
    assert "You wrote: “What is the capital of Norway?”" in reply.text
    assert reply.finish == speaker.ends["stop"]
    assert reply.model == speaker.model


@every_speaker
def test_the_same_request_gets_the_same_text(sandbox: Sandbox, speaker: Speaker) -> None:
    assert ask(sandbox, speaker).text == ask(sandbox, speaker).text


@every_speaker
def test_a_stream_tells_the_same_as_a_whole_answer(sandbox: Sandbox, speaker: Speaker) -> None:
    more = {} if speaker.path.endswith(("responses", "messages")) else _asks_for_usage(speaker)
    whole = ask(sandbox, speaker, "Grüße aus Köln, 東京 und 🎉", model=speaker.thinker)
    streamed = ask(
        sandbox, speaker, "Grüße aus Köln, 東京 und 🎉", model=speaker.thinker, stream=True, **more
    )

    assert streamed.terminated
    assert streamed.text == whole.text
    assert streamed.thoughts == whole.thoughts
    assert streamed.finish == whole.finish
    assert _without_times(streamed.usage) == _without_times(whole.usage)


def _asks_for_usage(speaker: Speaker) -> dict[str, object]:
    refuses = {"mistral", "gemini"}
    return {} if speaker.name in refuses else {"stream_options": {"include_usage": True}}


def _without_times(usage: dict[str, object] | None) -> dict[str, object]:
    assert usage is not None
    return {name: value for name, value in usage.items() if not name.endswith("_time")}


@every_speaker
def test_a_long_question_is_quoted_by_its_first_200_characters(
    sandbox: Sandbox, speaker: Speaker
) -> None:
    reply = ask(sandbox, speaker, "x" * 200 + "SECRET")

    assert "x" * 200 in reply.text
    assert "SECRET" not in reply.text


@every_speaker
def test_a_maximum_of_tokens_cuts_the_text(sandbox: Sandbox, speaker: Speaker) -> None:
    whole = ask(sandbox, speaker)
    cut = ask(sandbox, speaker, limit=16)

    assert cut.finish == speaker.ends["length"]
    assert whole.text.startswith(cut.text)
    assert 0 < len(cut.text) <= 64


@pytest.mark.parametrize("speaker", [s for s in ALL if s.name != "openai responses"], ids=str)
def test_a_stop_sequence_ends_the_text_before_it(sandbox: Sandbox, speaker: Speaker) -> None:
    reply = ask(sandbox, speaker, stop="would")

    assert reply.text.endswith(f"{speaker.model} ")
    assert reply.finish == (
        "stop_sequence" if speaker.name == "anthropic" else speaker.ends["stop"]
    )


@every_speaker
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_json_output_is_valid_for_its_schema(
    sandbox: Sandbox, speaker: Speaker, stream: bool
) -> None:
    schema = {
        "type": "object",
        "properties": {
            "kind": {"enum": ["rain", "sun"]},
            "days": {"type": "array", "items": {"$ref": "#/$defs/day"}, "minItems": 2},
            "note": {"anyOf": [{"type": "null"}, {"type": "string"}]},
        },
        "required": ["kind", "days", "note"],
        "additionalProperties": False,
        "$defs": {
            "day": {
                "type": "object",
                "properties": {"high": {"type": "number", "minimum": 10}, "on": {"format": "date"}},
                "required": ["high", "on"],
            }
        },
    }

    reply = ask(sandbox, speaker, "Answer as JSON.", schema=schema, stream=stream)

    jsonschema.validate(json.loads(reply.text), schema)


@every_speaker
def test_reasoning_models_think_in_their_providers_way(sandbox: Sandbox, speaker: Speaker) -> None:
    hides = {"openai", "gemini compat"}
    reply = ask(sandbox, speaker, model=speaker.thinker)

    assert bool(reply.thoughts) is (speaker.name not in hides)
    assert not ask(sandbox, speaker).thoughts


@pytest.mark.parametrize("name", ["cerebras", "openai", "deepinfra", "xai", "openrouter", "nvidia"])
def test_several_choices_are_given_where_they_are_asked_for(sandbox: Sandbox, name: str) -> None:
    speaker = BY_NAME[name]
    body = speaker.body("Say hello.", model=speaker.model, n=3)

    content = sandbox.post(speaker.url(), body, speaker.headers).json()

    texts = [choice["message"]["content"] for choice in content["choices"]]
    assert len(set(texts)) == 3
    assert [choice["index"] for choice in content["choices"]] == [0, 1, 2]


@pytest.mark.parametrize("name", ["cerebras", "openai", "deepinfra", "openrouter", "nvidia"])
def test_logprobs_tell_of_every_token(sandbox: Sandbox, name: str) -> None:
    speaker = BY_NAME[name]
    body = speaker.body("Say hello.", model=speaker.model, logprobs=True, top_logprobs=2)

    content = sandbox.post(speaker.url(), body, speaker.headers).json()

    told = content["choices"][0]["logprobs"]["content"]
    assert "".join(one["token"] for one in told) == content["choices"][0]["message"]["content"]
    assert len(told) == content["usage"]["completion_tokens"]
    assert all(len(one["top_logprobs"]) == 2 for one in told)


def test_a_wish_for_many_words_makes_a_long_answer(sandbox: Sandbox) -> None:
    speaker = BY_NAME["openai"]

    assert len(ask(sandbox, speaker, "Write 500 words on rain.").text.split()) >= 500


def test_images_count_as_tokens(sandbox: Sandbox) -> None:
    speaker = BY_NAME["openai"]
    url = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    plain = speaker.body("Look.", model=speaker.model)
    seen = {
        **plain,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Look."}, url]}],
    }

    tokens = [
        sandbox.post(speaker.url(), body, speaker.headers).json()["usage"]["prompt_tokens"]
        for body in (plain, seen)
    ]

    assert tokens[1] - tokens[0] > 700


def test_json_mode_answers_with_an_object(sandbox: Sandbox) -> None:
    speaker = BY_NAME["openai"]
    wanted = {"type": "json_object"}
    body = speaker.body("Answer in JSON.", model=speaker.model, response_format=wanted)

    content = sandbox.post(speaker.url(), body, speaker.headers).json()

    assert json.loads(content["choices"][0]["message"]["content"])["sandbox"] is True


def test_gemini_without_sse_streams_one_json_array(sandbox: Sandbox) -> None:
    speaker = speakers.GENERATE
    url = speaker.url(stream=True).replace("?alt=sse", "")

    answer = sandbox.post(url, speaker.body(model=speaker.model), speaker.headers)

    parts = answer.json()
    assert parts[-1]["candidates"][0]["finishReason"] == "STOP"
