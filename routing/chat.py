"""The neutral middle between the dialects of callers and of providers: frozen values. Pure.

A request keeps the caller's own body: a provider of the same dialect is sent that body with only
the model's name and its quirks changed, so that nothing is lost and nothing invented.
"""

from decimal import Decimal
from typing import Any

import msgspec

from billing.pricing import SERVICE_FIELDS, USUAL_SERVICE
from billing.usage import Usage
from routing.conversation import Answer

Body = dict[str, Any]


class ChatRequest(msgspec.Struct, frozen=True, kw_only=True, eq=False, gc=False):
    """What a caller asks for, and what a candidate needs to be able to do."""

    dialect: str
    body: Body
    model: str
    stream: bool
    wants_usage: bool  # of a stream
    max_tokens: int | None
    needs: frozenset[str]  # capabilities, see routing.providers.spec
    input_tokens: int  # estimated
    size: int  # bytes of the body
    kind: str = "chat"  # of the models that can answer, see routing.providers.spec
    headers: tuple[tuple[bytes, bytes], ...] = ()  # for a provider of the same dialect alone

    @property
    def service(self) -> str:
        """The tier of service that it asks for, where that is not the usual one; or nothing."""
        named = (self.body.get(name) for name in SERVICE_FIELDS)
        return next((one for one in named if isinstance(one, str) and one not in USUAL_SERVICE), "")


class ChatReply(msgspec.Struct, frozen=True, kw_only=True, eq=False, gc=False):
    """A provider's whole answer, read; kept as it came where the caller speaks its dialect."""

    dialect: str
    content: dict[str, msgspec.Raw]  # the provider's own fields; empty where `answer` is set
    answer: Answer | None = None
    model: str = ""  # the provider's own word for what answered
    usage: Usage | None  # None where the provider reported none that can be believed
    finish_reason: str
    is_empty: bool
    output_bytes: int  # of what the model wrote, for an estimate of tokens
    reported_cost: Decimal | None = None
