"""Anthropic's figures in our buckets, and ours as Anthropic writes them. Pure."""

from decimal import Decimal
from typing import Any, cast

import msgspec

from billing import money
from billing.usage import Usage, is_count
from routing.wire.anthropic.fields import Json

_FIGURES = (
    "input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens",
)  # fmt: skip
_WRITES = ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")


# Parts of an answer that are billed; a fallback's part is in the totals already.
_BILLED = frozenset({"message", "compaction"})


def usage_of(reported: object) -> Usage | None:
    """The buckets of a usage object: cache stands beside the input, thinking is in the output.

    None if a figure is not a count: a negative, fractional or textual one is not to be believed.
    """
    if type(reported) is not dict:
        return None
    parts = reported.get("iterations")
    if type(parts) is list and parts and all(type(part) is dict for part in parts):
        kinds = {str(part.get("type")) for part in parts}
        found = [_figures_of(part) for part in parts if str(part.get("type")) in _BILLED]
        if found and "fallback_message" not in kinds and None not in found:
            return sum(cast("list[Usage]", found), Usage())
    return _figures_of(reported)


def _figures_of(reported: Json) -> Usage | None:
    if reported.get("input_tokens") is None:
        return None
    writes = reported.get("cache_creation") or {}
    details = reported.get("output_tokens_details") or {}
    if type(writes) is not dict or type(details) is not dict:
        return None
    figures = [
        *(reported.get(name) or 0 for name in _FIGURES),
        *(writes.get(name) or 0 for name in _WRITES),
        details.get("thinking_tokens") or 0,
    ]
    if not all(is_count(figure) for figure in figures):
        return None
    plain, read, written, output, short, long, thinking = cast("list[int]", figures)
    written = written or short + long  # some tell only the breakdown
    if long > written or thinking > output:
        return None
    return Usage(
        input_uncached=plain,
        cache_read=read,
        cache_write_5m=written - long,
        cache_write_1h=long,
        output_visible=output - thinking,
        reasoning=thinking,
    )


def merged(figures: Json, later: object) -> Json:
    """Figures of a stream: the last one told counts, and null tells nothing."""
    if type(later) is not dict:
        return figures
    return {**figures, **{name: value for name, value in later.items() if value is not None}}


def shown(usage: Usage) -> Json:
    """Our buckets as Anthropic writes usage."""
    return {
        "input_tokens": usage.input_uncached + usage.audio_in + usage.image_in,
        "cache_creation_input_tokens": usage.cache_write_5m + usage.cache_write_1h,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"thinking_tokens": usage.reasoning},
        "server_tool_use": None,
        "service_tier": None,
        "inference_geo": None,
    }


def with_cost(figures: Json, cost: Decimal | None) -> Json:
    """Usage as the caller gets it: the figures and our cost."""
    told: Any = None if cost is None else msgspec.Raw(money.plain(cost).encode())
    return {**figures, "cost": told}
