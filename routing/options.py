"""The caller's options: `x-flo2-*` headers and OpenRouter's body fields, read and refused here.

An option that is unknown, malformed or cannot be honoured is a 400 that names it: an option is
never silently ignored, and never reaches a provider.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from accounts import whole_numbers
from accounts.errors import InvalidRequest, UnknownOption
from accounts.models.project import NAME_PATTERN
from accounts.whole_numbers import NotAWholeNumber
from billing import money
from routing.chat import Body
from routing.simulation import Simulation

PREFIX = b"x-flo2-"
MOST_TAGS, LONGEST_TAG, LONGEST_SESSION = 20, 100, 256
MOST_MODELS = 20
LONGEST_TIMEOUT_MS = 3_600_000
LONGEST_HEDGE_MS = 600_000
WIDEST_RACE = 5
CACHE_WISHES = frozenset({"on", "off", "refresh"})
LONGEST_CACHE_S = 7 * 24 * 3600
FINEST = -18  # decimal places of the first digit of an amount; nobody means less

# Where a session may be named, in order of precedence, after the body's `session_id`.
SESSION_HEADERS = (b"x-flo2-session", b"x-session-id", b"x-claude-code-session-id", b"session-id")

OWN_FALLBACKS = b"server-side-fallback"  # the beta by which `fallbacks` is Anthropic's own

Headers = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceCeiling:
    """Unit prices in USD per million tokens that a candidate may not exceed."""

    input: Decimal | None = None
    output: Decimal | None = None


class Options(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a request asks of the gateway itself."""

    models: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    allow_fallbacks: bool = True
    require_parameters: bool = False
    deny_data_collection: bool = False
    sort: str = ""  # price, latency or throughput
    policy: str = ""  # by name
    race: int | None = None  # so many candidates at once
    hedge_ms: int | None = None  # then a second candidate is asked beside a silent first
    cache: str = ""  # on, off or refresh
    cache_ttl_s: int | None = None
    max_price: PriceCeiling | None = None
    max_cost: Decimal | None = None
    session: str = ""
    project: str = ""
    tags: tuple[str, ...] = ()
    timeout_s: float | None = None
    first_token_s: float | None = None
    simulation: Simulation | None = None
    adapted: tuple[str, ...] = ()  # soft wishes that are not honoured, named


NONE = Options()


def read(headers: Headers, body: Body) -> Options:
    """The options of a request. Raises InvalidRequest or UnknownOption naming the culprit."""
    found: dict[str, Any] = {}
    sessions: dict[bytes, bytes] = {}
    for name, value in headers:
        if name.startswith(PREFIX):
            _read_header(name, value, found)
        if b"session" in name:
            sessions[name] = value
    for field_name, read_field in _FIELDS.items():
        if (wish := body.get(field_name)) is not None:
            read_field(wish, found)
    if body.get("fallbacks") is not None and not _has_own_fallbacks(headers):
        _fallbacks(body["fallbacks"], found)
    session = _session(sessions, body)
    if session:
        found["session"] = session
    return Options(**found) if found else NONE


def _read_header(name: bytes, value: bytes, found: dict[str, Any]) -> None:
    reader = _HEADERS.get(name)
    if reader is None:
        raise UnknownOption(f"There is no option {name.decode('latin-1')}.")
    try:
        text = value.decode("ascii").strip()
    except UnicodeDecodeError:
        raise InvalidRequest(f"{name.decode('latin-1')} must be plain ASCII.") from None
    reader(name.decode(), text, found)


def _tags(name: str, text: str, found: dict[str, Any]) -> None:
    tags = tuple(dict.fromkeys(tag.strip() for tag in text.split(",") if tag.strip()))
    if len(tags) > MOST_TAGS or any(len(tag) > LONGEST_TAG for tag in tags):
        raise InvalidRequest(f"{name}: at most {MOST_TAGS} tags of {LONGEST_TAG} characters.")
    found["tags"] = tags


def _project(name: str, text: str, found: dict[str, Any]) -> None:
    if not re.match(NAME_PATTERN, text):
        raise InvalidRequest(f"{name}: a project is written with a-z, 0-9, dot, dash, underscore.")
    found["project"] = text


def _max_cost(name: str, text: str, found: dict[str, Any]) -> None:
    found["max_cost"] = _amount(name, text)


def _policy(name: str, text: str, found: dict[str, Any]) -> None:
    if not re.match(NAME_PATTERN, text):
        raise InvalidRequest(f"{name}: a policy is written with a-z, 0-9, dot, dash, underscore.")
    found["policy"] = text


def _milliseconds(option: str) -> Any:
    def read_header(name: str, text: str, found: dict[str, Any]) -> None:
        found[option] = _whole(name, text, LONGEST_TIMEOUT_MS, "milliseconds") / 1000

    return read_header


def _count(option: str, most: int, unit: str) -> Any:
    def read_header(name: str, text: str, found: dict[str, Any]) -> None:
        found[option] = _whole(name, text, most, unit)

    return read_header


def _whole(name: str, text: str, most: int, unit: str) -> int:
    try:
        return whole_numbers.read(text, least=1, most=most)
    except NotAWholeNumber:
        raise InvalidRequest(f"{name}: {unit} from 1 to {most}.", param=name) from None


def _cache(name: str, text: str, found: dict[str, Any]) -> None:
    if text not in CACHE_WISHES:
        raise InvalidRequest(f"{name} must be on, off or refresh.", param=name)
    found["cache"] = text


def _simulate(name: str, text: str, found: dict[str, Any]) -> None:
    found["simulation"] = Simulation.read(name, text)


def _no_op(name: str, text: str, found: dict[str, Any]) -> None:
    """The session is read with its other spellings."""


_HEADERS = {
    b"x-flo2-tags": _tags,
    b"x-flo2-project": _project,
    b"x-flo2-session": _no_op,
    b"x-flo2-max-cost": _max_cost,
    b"x-flo2-timeout-ms": _milliseconds("timeout_s"),
    b"x-flo2-first-token-timeout-ms": _milliseconds("first_token_s"),
    b"x-flo2-simulate": _simulate,
    b"x-flo2-policy": _policy,
    b"x-flo2-race": _count("race", WIDEST_RACE, "a number of providers"),
    b"x-flo2-hedge-ms": _count("hedge_ms", LONGEST_HEDGE_MS, "milliseconds"),
    b"x-flo2-cache": _cache,
    b"x-flo2-cache-ttl": _count("cache_ttl_s", LONGEST_CACHE_S, "seconds"),
}


def _models(value: Any, found: dict[str, Any]) -> None:
    found["models"] = _names("models", value)


def _fallbacks(value: Any, found: dict[str, Any]) -> None:
    """Anthropic's form of `models`: a list of objects that name a model each."""
    if type(value) is not list:
        raise InvalidRequest("fallbacks must be a list of {model}.", param="fallbacks")
    named = [one.get("model") if type(one) is dict else None for one in value]
    found["models"] = (*found.get("models", ()), *_names("fallbacks", named))


def _has_own_fallbacks(headers: Headers) -> bool:
    """Whether `fallbacks` is meant for Anthropic itself."""
    return any(name == b"anthropic-beta" and OWN_FALLBACKS in value for name, value in headers)


def _provider(value: Any, found: dict[str, Any]) -> None:
    """OpenRouter's routing object, with our provider slugs."""
    if type(value) is not dict:
        raise InvalidRequest("provider must be an object.", param="provider")
    for name, setting in value.items():
        if setting is None:
            continue
        if name in _SOFT:
            found["adapted"] = (*found.get("adapted", ()), f"provider.{name}")
            continue
        reader = _PROVIDER.get(name)
        if reader is None:
            raise UnknownOption(f"provider.{name} cannot be honoured.", param=f"provider.{name}")
        reader(setting, found)


def _slugs(option: str) -> Any:
    def read_field(value: Any, found: dict[str, Any]) -> None:
        found[option] = _names(f"provider.{option}", value)

    return read_field


def _boolean(option: str) -> Any:
    def read_field(value: Any, found: dict[str, Any]) -> None:
        if type(value) is not bool:
            raise InvalidRequest(f"provider.{option} must be true or false.", param="provider")
        found[option] = value

    return read_field


def _data_collection(value: Any, found: dict[str, Any]) -> None:
    if value not in ("allow", "deny"):
        raise InvalidRequest("provider.data_collection must be allow or deny.", param="provider")
    found["deny_data_collection"] = value == "deny"


def _sort(value: Any, found: dict[str, Any]) -> None:
    by = value.get("by") if type(value) is dict else value
    if by not in ("price", "latency", "throughput"):
        raise InvalidRequest(
            "provider.sort must be price, latency or throughput.", param="provider.sort"
        )
    found["sort"] = by


def _max_price(value: Any, found: dict[str, Any]) -> None:
    if type(value) is not dict:
        raise InvalidRequest("provider.max_price must be an object.", param="provider.max_price")
    ceiling: dict[str, Decimal] = {}
    for name, amount in value.items():
        bucket = _PRICE_NAMES.get(name)
        if bucket is None:
            raise UnknownOption(f"provider.max_price.{name} cannot be honoured.")
        ceiling[bucket] = _amount(f"provider.max_price.{name}", amount)
    found["max_price"] = PriceCeiling(**ceiling)


_FIELDS = {"models": _models, "provider": _provider}
_PROVIDER = {
    "order": _slugs("order"),
    "only": _slugs("only"),
    "ignore": _slugs("ignore"),
    "allow_fallbacks": _boolean("allow_fallbacks"),
    "require_parameters": _boolean("require_parameters"),
    "data_collection": _data_collection,
    "sort": _sort,
    "max_price": _max_price,
}
_SOFT = frozenset({"preferred_min_throughput", "preferred_max_latency"})
_PRICE_NAMES = {"input": "input", "prompt": "input", "output": "output", "completion": "output"}


def _names(option: str, value: Any) -> tuple[str, ...]:
    fits = type(value) is list and 0 < len(value) <= MOST_MODELS
    if not fits or not all(type(name) is str and name for name in value):
        raise InvalidRequest(f"{option} must be a list of 1 to {MOST_MODELS} names.", param=option)
    return tuple(value)


def usd(value: Any) -> Decimal | None:
    """A number from 0 to money.LARGEST, or its text; None for anything else."""
    try:
        amount = Decimal(str(value)) if type(value) in {str, int, float} else None
    except (InvalidOperation, ValueError):  # no number; more digits than Python writes
        return None
    if amount is None or not amount.is_finite() or not 0 <= amount <= money.LARGEST:
        return None
    if not amount:
        return money.ZERO
    return amount if amount.adjusted() >= FINEST else None


def _amount(option: str, value: Any) -> Decimal:
    """Raises InvalidRequest."""
    amount = usd(value)
    if amount is None:
        raise InvalidRequest(f"{option} must be an amount in USD.", param=option)
    return amount


def _session(headers: dict[bytes, bytes], body: Body) -> str:
    """The session that calls belong to, by the first of its spellings."""
    named = (
        body.get("session_id")
        or (_from_headers(headers) if headers else "")
        or body.get("prompt_cache_key")
        or _from_metadata(body.get("metadata"))
    )
    if type(named) is not str or len(named) > LONGEST_SESSION:
        raise InvalidRequest(
            f"session_id must be a text of at most {LONGEST_SESSION} characters.",
            param="session_id",
        )
    return named


def _from_metadata(metadata: Any) -> str:
    """`metadata.user_id`: a user's, or Claude Code's JSON, which names a session."""
    user = metadata.get("user_id") if type(metadata) is dict else None
    if type(user) is not str:
        return ""
    if user.startswith("{"):
        try:
            content = msgspec.json.decode(user)
        except msgspec.DecodeError:
            content = {}
        named = content.get("session_id") if type(content) is dict else None
        return named[:LONGEST_SESSION] if type(named) is str else ""
    return user[:LONGEST_SESSION]


def _from_headers(headers: dict[bytes, bytes]) -> str:
    for name in SESSION_HEADERS:
        if value := headers.get(name):
            return value.decode("latin-1")
    return ""
