"""Programs to copy, with the reader's own base URL filled in."""

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest

KEY = "$FLO2_API_KEY"


def base_url(request: HttpRequest) -> str:
    """Where this gateway is reached: as the operator says, else as it was reached now."""
    return settings.FLO2_PUBLIC_URL or request.build_absolute_uri("/").rstrip("/")


def public_url() -> str:
    """The same where nobody asks just now, for mails: the operator's word, else this machine."""
    return settings.FLO2_PUBLIC_URL or f"http://{settings.FLO2_HOST}:{settings.FLO2_PORT}"


@dataclass(frozen=True)
class Snippet:
    language: str
    title: str
    text: str


def curl(base: str, *, key: str = KEY, model: str = "auto", prompt: str = "Say hi") -> str:
    return (
        f"curl {base}/v1/chat/completions \\\n"
        f'  -H "Authorization: Bearer {key}" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        f'  -d \'{{"model": "{model}", "messages": [{{"role": "user", "content": "{prompt}"}}]}}\''
    )


def export(key: str = "flo2_test_…") -> str:
    return f'export FLO2_API_KEY="{key}"'


def python(base: str) -> str:
    return f'''import os

from openai import OpenAI

client = OpenAI(base_url="{base}/v1", api_key=os.environ["FLO2_API_KEY"])

answer = client.chat.completions.create(
    model="auto",
    messages=[{{"role": "user", "content": "Say hi"}}],
)
print(answer.choices[0].message.content)
print(answer.usage)  # with .cost in US dollars'''


def python_stream(base: str) -> str:
    return f'''import os

from openai import OpenAI

client = OpenAI(base_url="{base}/v1", api_key=os.environ["FLO2_API_KEY"])

stream = client.chat.completions.create(
    model="auto",
    messages=[{{"role": "user", "content": "Count to five"}}],
    stream=True,
    stream_options={{"include_usage": True}},
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
    if chunk.usage:
        print("\\n", chunk.usage)'''


def javascript(base: str) -> str:
    return f"""import OpenAI from "openai";

const client = new OpenAI({{
  baseURL: "{base}/v1",
  apiKey: process.env.FLO2_API_KEY,
}});

const answer = await client.chat.completions.create({{
  model: "auto",
  messages: [{{ role: "user", content: "Say hi" }}],
}});
console.log(answer.choices[0].message.content);
console.log(answer.usage); // with cost in US dollars"""


def rehearsal(base: str) -> str:
    """A test call whose first provider fails."""
    return (
        f"curl -i {base}/v1/chat/completions \\\n"
        f'  -H "Authorization: Bearer {KEY}" \\\n'
        '  -H "Content-Type: application/json" \\\n'
        '  -H "x-flo2-simulate: groq=429,cerebras=503" \\\n'
        '  -d \'{"model": "auto", "messages": [{"role": "user", "content": "Say hi"}]}\''
    )


def training_export(base: str) -> str:
    """What was collected, as a file to fine-tune on."""
    return (
        f"curl '{base}/api/v1/training-data/export?mode=live&min_score=0.5' \\\n"
        f'  -H "Authorization: Bearer $FLO2_MANAGEMENT_KEY" -o training.jsonl'
    )


def quick_starts(base: str) -> list[Snippet]:
    return [
        Snippet("curl", "curl", curl(base)),
        Snippet("python", "Python", python(base)),
        Snippet("python-stream", "Python, streamed", python_stream(base)),
        Snippet("javascript", "JavaScript", javascript(base)),
    ]
