"""Programs of the clients that people use, to copy; BASE stands for the gateway's address."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Program:
    slug: str
    title: str
    install: str  # one command
    hint: str
    text: str

    def at(self, base: str) -> "Program":
        """With the reader's own address filled in."""
        text = self.text.replace("BASE", base)
        return Program(self.slug, self.title, self.install, self.hint, text)


ANTHROPIC_PYTHON = """import os

from anthropic import Anthropic

client = Anthropic(base_url="BASE", api_key=os.environ["FLO2_API_KEY"])

message = client.messages.create(
    model="auto",
    max_tokens=1024,
    messages=[{"role": "user", "content": "Say hi"}],
)
print(message.content[0].text)
print(message.usage)  # with .cost in US dollars"""

ANTHROPIC_JAVASCRIPT = """import Anthropic from "@anthropic-ai/sdk";

const client = new Anthropic({ baseURL: "BASE", apiKey: process.env.FLO2_API_KEY });

const message = await client.messages.create({
  model: "auto",
  max_tokens: 1024,
  messages: [{ role: "user", content: "Say hi" }],
});
console.log(message.content[0].text);"""

RESPONSES = """import os

from openai import OpenAI

client = OpenAI(base_url="BASE/v1", api_key=os.environ["FLO2_API_KEY"])

# Nothing is kept between calls: send the whole history each time.
response = client.responses.create(model="auto", input="Say hi", store=False)
print(response.output_text)"""

EMBEDDINGS = """import os

from openai import OpenAI

client = OpenAI(base_url="BASE/v1", api_key=os.environ["FLO2_API_KEY"])

answer = client.embeddings.create(model="text-embedding-3-small", input=["one", "two"])
print(len(answer.data), "vectors of", len(answer.data[0].embedding))"""

LANGCHAIN = """import os

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI


@tool
def get_weather(city: str) -> str:
    \"\"\"The weather in a city.\"\"\"
    return f"4 degrees in {city}"


model = ChatOpenAI(base_url="BASE/v1", api_key=os.environ["FLO2_API_KEY"], model="auto")
answer = model.bind_tools([get_weather]).invoke("Use the tool to tell me the weather in Oslo.")
print(answer.content or answer.tool_calls)"""

LLAMA_INDEX = """import os

from llama_index.llms.openai_like import OpenAILike

model = OpenAILike(
    api_base="BASE/v1",
    api_key=os.environ["FLO2_API_KEY"],
    model="auto",
    is_chat_model=True,
    is_function_calling_model=True,
)
print(model.complete("Say hi"))"""

INSTRUCTOR = """import os

import instructor
from openai import OpenAI
from pydantic import BaseModel


class City(BaseModel):
    name: str
    country: str


client = instructor.from_openai(
    OpenAI(base_url="BASE/v1", api_key=os.environ["FLO2_API_KEY"])
)
city = client.chat.completions.create(
    model="auto",
    response_model=City,
    messages=[{"role": "user", "content": "Oslo is the capital of Norway."}],
)
print(city)"""

VERCEL = """import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateText, stepCountIs, tool } from "ai";
import { z } from "zod";

const flo2 = createOpenAICompatible({
  name: "flo2",
  baseURL: "BASE/v1",
  apiKey: process.env.FLO2_API_KEY,
});

const { text } = await generateText({
  model: flo2("auto"),
  prompt: "Use the tool to tell me the weather in Oslo.",
  tools: {
    get_weather: tool({
      description: "The weather in a city",
      inputSchema: z.object({ city: z.string() }),
      execute: async ({ city }) => `4 degrees in ${city}`,
    }),
  },
  stopWhen: stepCountIs(3),
});
console.log(text);"""

AGENTS = """import os

from agents import Agent, Runner, function_tool, set_default_openai_client, set_tracing_disabled
from openai import AsyncOpenAI

set_tracing_disabled(True)
set_default_openai_client(
    AsyncOpenAI(base_url="BASE/v1", api_key=os.environ["FLO2_API_KEY"])
)


@function_tool
def get_weather(city: str) -> str:
    \"\"\"The weather in a city.\"\"\"
    return f"4 degrees in {city}"


agent = Agent(name="Forecaster", model="auto", tools=[get_weather])
print(Runner.run_sync(agent, "Use the tool to tell me the weather in Oslo.").final_output)"""

CLAUDE_CODE = """export ANTHROPIC_BASE_URL="BASE"
export ANTHROPIC_AUTH_TOKEN="$FLO2_API_KEY"
export ANTHROPIC_MODEL="auto"

claude"""

CODEX = """# ~/.codex/config.toml
model = "auto"
model_provider = "flo2"

[model_providers.flo2]
name = "flo2"
base_url = "BASE/v1"
env_key = "FLO2_API_KEY"
wire_api = "responses\""""

PROGRAMS = (
    Program("anthropic-python", "Anthropic, Python", "pip install anthropic",
            "The base URL is without /v1 here.", ANTHROPIC_PYTHON),
    Program("anthropic-javascript", "Anthropic, JavaScript", "npm install @anthropic-ai/sdk",
            "Any model answers, whoever its provider is.", ANTHROPIC_JAVASCRIPT),
    Program("responses", "OpenAI Responses", "pip install openai",
            "For clients that speak the newer API.", RESPONSES),
    Program("embeddings", "Embeddings", "pip install openai",
            "Floats or base64, as the client asks.", EMBEDDINGS),
    Program("langchain", "LangChain", "pip install langchain-openai",
            "langchain-anthropic works as well, with the base URL without /v1.", LANGCHAIN),
    Program("llama-index", "LlamaIndex", "pip install llama-index-llms-openai-like",
            "OpenAILike takes any model’s name.", LLAMA_INDEX),
    Program("instructor", "instructor", "pip install instructor",
            "Typed answers by way of a forced tool.", INSTRUCTOR),
    Program("vercel-ai-sdk", "Vercel AI SDK", "npm install ai @ai-sdk/openai-compatible zod",
            "In a file that ends in .mjs.", VERCEL),
    Program("openai-agents", "OpenAI Agents SDK", "pip install openai-agents",
            "Speaks Responses by default.", AGENTS),
    Program("claude-code", "Claude Code", "npm install -g @anthropic-ai/claude-code",
            "With a live key whose policy or provider keys reach a model that can use tools.",
            CLAUDE_CODE),
    Program("codex", "Codex", "npm install -g @openai/codex",
            "Codex speaks Responses only.", CODEX),
)  # fmt: skip
