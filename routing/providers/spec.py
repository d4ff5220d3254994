"""The shape of a catalogue file: a provider, the models it offers, and its quirks. Pure."""

import re
from datetime import date
from decimal import Decimal
from typing import Literal

import msgspec

Wire = Literal["openai", "anthropic", "gemini"]
Auth = Literal["bearer", "x-api-key", "x-goog-api-key"]
Kind = Literal["chat", "embedding", "media", "guard"]
KINDS: tuple[Kind, ...] = ("chat", "embedding", "media", "guard")

MODEL_NAME = re.compile(r"[A-Za-z0-9_.:@/~+-]{1,200}")
# What a model may be able to do. A capability that a file does not deny is assumed (`unknown`).
CAPABILITIES = frozenset(
    {"tools", "json_schema", "image", "audio", "pdf", "logprobs", "reasoning", "n", "sampling"}
)


class CatalogModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base of the structures read from a file: a misspelt key is an error."""


class Quirks(CatalogModel, frozen=True, kw_only=True):
    """Where a provider (or one model) differs from its dialect: a closed list (`quirks.py`)."""

    drop: tuple[str, ...] = ()  # parameters it refuses
    takes: tuple[str, ...] = ()  # parameters beyond its dialect that it knows: top_k
    rename: dict[str, str] = {}  # parameters it knows by another name
    drop_in_messages: tuple[str, ...] = ()  # fields of messages it refuses
    developer_as: str = "developer"  # the role that stands for `developer`
    stream_usage: Literal["asked", "always", "never"] = "asked"  # how to get usage of a stream
    usage_in: tuple[str, ...] = ("usage",)  # where usage stands, first found wins
    reported_cost_in: str = ""  # the field of usage that holds the provider's own cost
    reported_cost_unit: Decimal = Decimal(1)  # USD of one in that field
    max_stop: int = 0  # at most so many stop sequences; 0: no limit known
    max_temperature: float | None = None
    send_max_tokens: bool = False  # always name a maximum: it is charged against limits up front
    forced_tools: Literal["named", "any", "none"] = "named"  # what a tool choice may force
    required_as: str = "required"  # the word for "call some tool"
    tool_id_length: int = 0  # ids of calls: exactly so many letters and digits; 0: free
    tool_text_only: bool = False  # results of tools must be a text
    format_with_tools: bool = True  # may be asked for JSON while it has tools
    system_first: bool = False  # system messages stand at the start or nowhere
    prefill: bool = True  # the last turn may be the assistant's
    answers_in_parts: bool = False  # content of answers may be a list: not passed on as it is
    keeps_cache_marks: bool = False  # takes Anthropic's `cache_control` on parts
    reasoning_in_history: Literal["", "reasoning", "reasoning_content", "reasoning_details"] = ""
    thinking: Literal["", "effort", "adaptive", "budget", "level"] = ""  # how it is asked to think
    efforts: tuple[str, ...] = ()  # the efforts it knows, from least to most; empty: any
    thinking_types: tuple[str, ...] = ()  # of Anthropic's `thinking`, that it takes; empty: any
    one_sampler: bool = False  # takes temperature or top_p, not both
    least_thinking: int = 0  # tokens; a model that always thinks cannot go below


class PriceTier(CatalogModel, frozen=True, kw_only=True):
    """USD per million tokens of the whole request once its input exceeds so many tokens."""

    above_input_tokens: int
    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_1h: Decimal | None = None


class PriceRow(CatalogModel, frozen=True, kw_only=True):
    """USD per million tokens from a day on. Rows are added, never edited."""

    since: date
    input: Decimal
    output: Decimal
    cached_input: Decimal | None = None
    cache_write: Decimal | None = None
    cache_write_1h: Decimal | None = None
    tiers: tuple[PriceTier, ...] = ()


class ModelOffer(CatalogModel, frozen=True, kw_only=True):
    """A model as one provider offers it."""

    id: str
    family: str = ""  # the same weights elsewhere
    aliases: tuple[str, ...] = ()
    kind: Kind = "chat"
    context: int | None = None  # tokens of input and output together
    output: int | None = None  # most tokens of an answer
    can: frozenset[str] | None = None  # None: not known
    auto: bool = False  # may be chosen by `auto`: general chat, generally available, priced
    reasons: bool = False  # thinks before it answers, and longer waits are normal
    deprecated: bool = False
    quirks: Quirks | None = None  # the provider's, with what the file says of this model
    prices: tuple[PriceRow, ...] = ()  # only where genai-prices has none
    seconds_to_first_token: float | None = None
    tokens_per_second: float | None = None

    def has(self, capability: str) -> bool:
        """Whether the model can do this; what is not known passes."""
        return self.can is None or capability in self.can


class KeyCheck(CatalogModel, frozen=True, kw_only=True):
    """A free request that tells whether a key works, and how to read its answer."""

    path: str  # appended to the base URL
    body: str = ""  # JSON to post; empty: a GET
    works_on: tuple[int, ...] = (200,)  # statuses that only a key that works gets
    lists_models: bool = True  # the answer is the provider's list of models
    blocked_if: tuple[str, ...] = ()  # fields that, when true, make the key unusable
    credit_in: str = ""  # field that is 0 or less when the key's credit is used up


class Listing(CatalogModel, frozen=True, kw_only=True):
    """The provider's own list of its models. Fields are dotted paths; empty: it does not tell."""

    path: str = "/models"  # appended to the base URL
    is_public: bool = False  # needs no key
    items: str = "data"  # where the list stands
    id: str = "id"  # in an item
    id_prefix: str = ""  # stands before each id and is no part of it
    aliases: str = ""
    context: str = ""
    output: str = ""
    more: str = ""  # true or a text where the list goes on in another answer


class Provider(CatalogModel, frozen=True, kw_only=True):
    slug: str
    label: str
    wire: Wire
    base_url: str
    auth: Auth
    key_check: KeyCheck
    keys_url: str  # where its keys are made
    docs_url: str
    good_at: str  # one line for the card
    key_prefix: str = ""  # what its keys begin with, for a hint
    prices_id: str = ""  # its name in genai-prices, where that differs from the slug
    abort_stops_billing: bool = False
    stores_prompts: bool | None = None  # whether it may train on or keep what is sent
    has_own_url: bool = False  # a tenant's endpoint: each key names its base URL
    headers: dict[str, str] = {}
    listing: Listing = Listing()
    quirks: Quirks = Quirks()
    models: tuple[ModelOffer, ...] = ()

    def quirks_of(self, offer: ModelOffer | None) -> Quirks:
        return (offer.quirks if offer else None) or self.quirks
