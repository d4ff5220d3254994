"""What is said in a call, in nobody's dialect: turns of blocks, tools, wishes, answers. Pure.

A dialect reads its own words into these values and writes them from these values, so that N + M
modules serve N × M pairs. Where caller and provider share a dialect, none of this is built.
"""

from decimal import Decimal
from typing import Any, Literal

import msgspec

from billing.usage import Usage

Json = dict[str, Any]
Role = Literal["system", "user", "assistant"]
Finish = Literal["stop", "length", "tool_calls", "content_filter"]
CacheMark = Literal["", "5m", "1h"]  # "cache the prompt up to here", and for how long
ToolKind = Literal["function", "custom"]  # custom: the input is free text


class Value(msgspec.Struct, frozen=True, gc=False):
    """Base of all that follows."""


# Blocks ----------------------------------------------------------------------------------------


class Text(Value, frozen=True):
    text: str
    cache: CacheMark = ""


class Image(Value, frozen=True, kw_only=True):
    """An image by its bytes (base64, with a media type) or by its address."""

    media_type: str = ""
    data: str = ""
    url: str = ""
    detail: str = ""
    cache: CacheMark = ""


class Document(Value, frozen=True, kw_only=True):
    """A document by its bytes (base64), its address, or its plain text."""

    media_type: str = "application/pdf"
    data: str = ""
    url: str = ""
    text: str = ""
    title: str = ""
    cache: CacheMark = ""


class Audio(Value, frozen=True, kw_only=True):
    format: str  # wav, mp3
    data: str  # base64


class Thinking(Value, frozen=True, kw_only=True):
    """What a model thought. `signature` is its provider's own and opaque.

    `signer` is the dialect whose provider signed it; a foreign signature is never sent on.
    """

    text: str
    signature: str = ""
    signer: str = ""


class HiddenThinking(Value, frozen=True, kw_only=True):
    """Thoughts that only their provider can read."""

    data: str
    signer: str = ""


class ToolCall(Value, frozen=True, kw_only=True):
    """`arguments` is the JSON text as the model wrote it (free text for a custom tool)."""

    id: str
    name: str
    arguments: str
    kind: ToolKind = "function"
    signature: str = ""  # Gemini signs calls, not thoughts
    cache: CacheMark = ""


class ToolResult(Value, frozen=True, kw_only=True):
    id: str  # of the call
    content: "tuple[Text | Image | Document, ...]"
    is_error: bool = False
    kind: ToolKind = "function"
    cache: CacheMark = ""


class Refusal(Value, frozen=True):
    text: str


Block = (
    Text | Image | Document | Audio | Thinking | HiddenThinking | ToolCall | ToolResult | Refusal
)


class Turn(Value, frozen=True):
    """Blocks of one speaker. Turns of the same role may follow each other."""

    role: Role
    blocks: tuple[Block, ...]


# What the caller asks for ----------------------------------------------------------------------


class Tool(Value, frozen=True, kw_only=True):
    """A tool that the caller runs. `schema` is a JSON Schema of an object; empty: no fields."""

    name: str
    description: str = ""
    schema: Json = {}
    strict: bool | None = None
    kind: ToolKind = "function"
    grammar: Json | None = None  # of a custom tool: {"type": "grammar", "syntax", "definition"}
    cache: CacheMark = ""


class ToolChoice(Value, frozen=True, kw_only=True):
    mode: Literal["auto", "none", "required", "named"] = "auto"
    name: str = ""  # of the one tool, when named
    only: tuple[str, ...] = ()  # of all tools, these alone may be called
    parallel: bool | None = None  # None: the provider's default


class Format(Value, frozen=True, kw_only=True):
    """The form that the text of the answer must have."""

    kind: Literal["json", "json_schema"]
    name: str = "output"
    schema: Json = {}
    strict: bool | None = None
    description: str = ""


class Reasoning(Value, frozen=True, kw_only=True):
    """How much the model shall think: by effort (none … max) or by a budget of tokens.

    `is_off` is an explicit wish not to think. `shown` asks for (a summary of) the thoughts.
    """

    effort: str = ""
    budget: int | None = None
    is_off: bool = False
    shown: bool = True


class Conversation(Value, frozen=True, kw_only=True):
    """A request in nobody's dialect. None and empty mean: the caller did not say."""

    turns: tuple[Turn, ...]
    system: tuple[Text, ...] = ()  # what stands before the first turn
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    format: Format | None = None
    reasoning: Reasoning | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    n: int | None = None
    user: str = ""  # an opaque id of the end user
    # OpenAI's further parameters (`logprobs`, penalties, `logit_bias`, `verbosity`,
    # `service_tier`, `prompt_cache_key`, …): honoured where the provider has them, else adapted.
    others: Json = {}
    # What the caller sent that has no counterpart outside its dialect; told as adapted.
    untranslatable: tuple[str, ...] = ()


# What the provider answers ---------------------------------------------------------------------


class Answer(Value, frozen=True, kw_only=True):
    """A whole answer. `usage` is None where none was reported that can be believed."""

    blocks: tuple[Block, ...]
    finish: Finish
    stop_sequence: str | None = None  # the one that was hit, where the provider tells
    model: str = ""  # the provider's own word
    usage: Usage | None = None
    reported_cost: Decimal | None = None


# Pieces of a streamed answer, in their order. Text, thoughts and calls may take turns; pieces of
# one call carry its index, counted from 0 over the answer's calls.


class TextPiece(Value, frozen=True):
    text: str


class ThinkingPiece(Value, frozen=True):
    text: str


class SignaturePiece(Value, frozen=True):
    """Signs the thoughts before it."""

    signature: str
    signer: str


class HiddenPiece(Value, frozen=True):
    """Thoughts that only their provider can read, whole."""

    data: str
    signer: str


class RefusalPiece(Value, frozen=True):
    text: str


class ToolBegun(Value, frozen=True, kw_only=True):
    index: int
    id: str
    name: str
    kind: ToolKind = "function"
    signature: str = ""


class ToolPiece(Value, frozen=True):
    """More of a call's arguments, exactly as they came."""

    index: int
    text: str


class MediaPiece(Value, frozen=True):
    """An image, or something else that is no text, whole: its media type and base64."""

    media_type: str
    data: str

    @property
    def block(self) -> Image | Document:
        if self.media_type.startswith("image/"):
            return Image(media_type=self.media_type, data=self.data)
        return Document(media_type=self.media_type, data=self.data)


class Finished(Value, frozen=True):
    """The provider said why it stopped. Figures may still follow."""

    finish: Finish
    stop_sequence: str | None = None


class Counted(Value, frozen=True):
    """The figures of the stream so far: the last one counts."""

    usage: Usage | None
    reported_cost: Decimal | None = None


Piece = (
    TextPiece | ThinkingPiece | SignaturePiece | HiddenPiece | RefusalPiece
    | ToolBegun | ToolPiece | MediaPiece | Finished | Counted
)  # fmt: skip
