"""What the codes of the books are called in plain words, and how alarming they are.

Templates show the words; the code stays in a title, since people search for it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Word:
    text: str
    tone: str = "quiet"  # ok, warn, bad, info or quiet
    icon: str = ""


CALL_STATUSES = {
    "succeeded": Word("Succeeded", "ok", "check"),
    "failed": Word("Failed", "bad", "cross"),
    "refused": Word("Refused", "warn", "shield"),
    "cancelled": Word("Cancelled", "quiet", "minus"),
    "open": Word("Running", "info", "clock"),
    "unknown": Word("Unknown", "warn", "question"),
}

KEY_STATUSES = {
    "unverified": Word("Not verified", "info", "clock"),
    "valid": Word("Works", "ok", "check"),
    "limited": Word("Works, limited", "warn", "alert"),
    "no_credit": Word("Out of credit", "bad", "alert"),
    "invalid": Word("Refused", "bad", "cross"),
}

# What each status of a provider key means for calls.
KEY_ADVICE = {
    "unverified": "The provider could not be asked yet. Calls use the key; it is asked again soon.",
    "valid": "Calls use this key.",
    "limited": "The provider accepts the key but does not let it do everything.",
    "no_credit": "Add credit at the provider, then verify again. Calls go elsewhere until then.",
    "invalid": "The provider does not accept this key. Replace it; calls go elsewhere until then.",
}

OUTCOMES = {
    "answered": Word("Answered", "ok"),
    "lost": Word("Lost the race"),
    "cancelled": Word("Cancelled"),
    "cut": Word("Cut off", "bad"),
    "empty": Word("Empty answer", "bad"),
    "auth": Word("Key refused", "bad"),
    "billing": Word("Out of credit", "bad"),
    "permission": Word("Not permitted", "bad"),
    "model_missing": Word("No such model", "bad"),
    "context": Word("Too long", "bad"),
    "param": Word("Parameter refused", "bad"),
    "policy": Word("Content refused", "bad"),
    "caller": Word("Request refused", "bad"),
    "rate_limit": Word("Rate limited", "warn"),
    "overloaded": Word("Overloaded", "bad"),
    "server": Word("Server error", "bad"),
    "timeout": Word("Timed out", "bad"),
    "network": Word("Not reached", "bad"),
}

ROLES = {
    "primary": "First choice",
    "retry": "Retry",
    "fallback": "Fallback",
    "race": "Race",
    "hedge": "Hedge",
}

COST_STATUSES = {
    "priced": "Usage reported by the provider, at the list price in force",
    "reported": "As the provider reports it: no list price is known",
    "estimated": "Usage was estimated, because the provider reported none",
    "unpriced": "The price of this model is not known",
}

# How a collected reply ended.
FINISHES = {
    "stop": "Ended by itself",
    "tool_calls": "Called tools",
    "length": "Cut at the limit",
    "content_filter": "Stopped by a filter",
}

BUCKETS = {
    "input_uncached": "Input",
    "cache_read": "Input, read from the provider's cache",
    "cache_write_5m": "Input, written to the provider's cache (5 min)",
    "cache_write_1h": "Input, written to the provider's cache (1 h)",
    "output_visible": "Output",
    "reasoning": "Output, reasoning",
    "audio_in": "Audio input",
    "audio_out": "Audio output",
    "image_in": "Image input",
}

_REASONS = {
    "none": "",
    "pinned": "The request names this provider",
    "only_candidate": "The only candidate",
    "cheapest": "Cheapest candidate",
    "fastest": "Fastest candidate",
    "balanced": "Best balance of price and speed",
    "good_enough": "Cheapest that is good enough by your own judged pairs",
    "priority": "First on the policy's list",
    "weighted": "Drawn by the policy's shares",
    "sticky": "The session was answered there before",
    "all_open_least_bad": "None was well; this one was to be asked again first",
    "doubtful": "Behind the others: it may well refuse",
    "price_unknown": "Its price is not known",
    "retry": "Answered on a second try",
    "gateway_died": "The gateway stopped during the call",
}


def reason(code: str) -> str:
    """Why this provider answered. `fallback:KIND` names what moved the call on."""
    head, _, kind = code.partition(":")
    if head == "fallback":
        before = OUTCOMES.get(kind)
        return f"Fallback: {before.text.lower() if before else kind} before"
    return _REASONS.get(code, code)


def call_status(code: str) -> Word:
    return CALL_STATUSES.get(code, Word(code))


def key_status(code: str) -> Word:
    return KEY_STATUSES.get(code, Word(code))


def outcome(code: str) -> Word:
    return OUTCOMES.get(code, Word(code))
