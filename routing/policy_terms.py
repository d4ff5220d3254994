"""What a policy says: its document (JSON), read and checked field by field. Pure."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Literal

import msgspec

from accounts.errors import InvalidRequest
from billing import money
from routing.options import LONGEST_CACHE_S, LONGEST_HEDGE_MS, WIDEST_RACE, PriceCeiling, usd
from routing.providers.spec import CAPABILITIES, MODEL_NAME

STRATEGIES = ("cheapest", "fastest", "balanced", "priority", "weighted", "race")
LISTED = frozenset({"priority", "weighted"})  # strategies that need targets
MOST_TARGETS, MOST_FALLBACKS, MOST_RETRIES = 50, 20, 5
USUAL_RACE = 2
LONGEST_SECONDS = {"connect_s": 60, "first_token_s": 3600, "idle_s": 3600, "total_s": 3600}

HedgeAfter = int | Literal["p95"]
Problems = dict[str, list[str]]


class WrongFields(InvalidRequest):
    """What is wrong with which field of a policy."""

    def __init__(self, by_field: Problems) -> None:
        first = next(iter(by_field))
        super().__init__(f"{first}: {by_field[first][0]}", param=first)
        self.by_field = by_field

    @property
    def details(self) -> dict[str, Any]:
        return {**super().details, "fields": self.by_field}


class Target(msgspec.Struct, frozen=True, gc=False):
    """A model's name as a request would write it, and its share under `weighted`."""

    model: str
    weight: float = 1.0


class PolicyTimeouts(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Seconds; None leaves the usual time."""

    connect_s: float | None = None
    first_token_s: float | None = None
    idle_s: float | None = None
    total_s: float | None = None


class Terms(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A checked document. `strategy` is empty only where no policy applies."""

    strategy: str = ""
    targets: tuple[Target, ...] = ()  # empty: everything that `auto` may choose
    fallbacks: tuple[str, ...] = ()
    race_width: int | None = None
    hedge_after_ms: HedgeAfter | None = None
    hedge_budget: float = 0.1
    retries: int = 1
    timeouts: PolicyTimeouts = PolicyTimeouts()
    cache_ttl_s: int | None = None  # 0: never
    quality: float = 5.0
    good_enough: float | None = None  # win-or-tie rate in judged pairs
    max_price: PriceCeiling | None = None
    require: frozenset[str] = frozenset()
    sticky: bool = False
    lock: bool = False


class PolicyInForce(msgspec.Struct, frozen=True, gc=False):
    """A version of a policy, as a call is planned by it."""

    name: str
    version: int
    terms: Terms


def read(document: Any) -> Terms:
    """The terms of a document. Raises WrongFields naming every field that is wrong."""
    if type(document) is not dict:
        raise WrongFields({"body": ["A policy is a JSON object."]})
    problems: Problems = {}
    found: dict[str, Any] = {}
    for name, value in document.items():
        reader = _FIELDS.get(name)
        if reader is None:
            _add(problems, name, "There is no such field.")
        elif value is not None:
            reader(value, name, found, problems)
    if document.get("strategy") is None:
        _add(problems, "strategy", f"Choose one of {', '.join(STRATEGIES)}.")
    elif found.get("strategy") in LISTED and not (found.get("targets") or "targets" in problems):
        _add(problems, "targets", f"The strategy {found['strategy']} needs at least one target.")
    if problems:
        raise WrongFields(problems)
    return Terms(**found)


def idle(terms: Terms) -> Problems:
    """Fields that have no effect beside the others: for warnings."""
    found: Problems = {}
    weighs = any(target.weight != 1 for target in terms.targets)
    if weighs and terms.strategy != "weighted":
        _add(found, "targets", "Weights count only with the strategy weighted.")
    if terms.quality != Terms().quality and terms.strategy != "balanced":
        _add(found, "quality", "The dial counts only with the strategy balanced.")
    if terms.good_enough is not None and terms.strategy != "balanced":
        _add(found, "good_enough", "Judged pairs count only with the strategy balanced.")
    return found


Found = dict[str, Any]


def _add(problems: Problems, place: str, text: str) -> None:
    problems.setdefault(place, []).append(text)


def _strategy(value: Any, place: str, found: Found, problems: Problems) -> None:
    if value not in STRATEGIES:
        _add(problems, place, f"Choose one of {', '.join(STRATEGIES)}.")
        return
    found["strategy"] = value


def _targets(value: Any, place: str, found: Found, problems: Problems) -> None:
    listed = _list(value, place, MOST_TARGETS, problems)
    targets = [_target(one, f"{place}.{i}", problems) for i, one in enumerate(listed)]
    names = [target.model for target in targets if target]
    if len(names) != len(set(names)):
        _add(problems, place, "A model stands in the list twice.")
    found["targets"] = tuple(filter(None, targets))


def _target(value: Any, place: str, problems: Problems) -> Target | None:
    fields = value if type(value) is dict else {"model": value}
    for name in fields.keys() - {"model", "weight"}:
        _add(problems, f"{place}.{name}", "There is no such field.")
    weight = fields.get("weight", 1)
    if not _is_number(weight, 0.001, 1000):
        _add(problems, f"{place}.weight", "A number from 0.001 to 1000.")
        return None
    if not _is_name(fields.get("model"), f"{place}.model", problems):
        return None
    return Target(fields["model"], float(weight))


def _fallbacks(value: Any, place: str, found: Found, problems: Problems) -> None:
    listed = _list(value, place, MOST_FALLBACKS, problems)
    named = [one for i, one in enumerate(listed) if _is_name(one, f"{place}.{i}", problems)]
    found["fallbacks"] = tuple(named)


def _race(value: Any, place: str, found: Found, problems: Problems) -> None:
    width = _only(value, "width", place, problems)
    if width is not None and not _is_whole(width, 1, WIDEST_RACE):
        _add(problems, f"{place}.width", f"A whole number from 1 to {WIDEST_RACE}.")
    found["race_width"] = width


def _hedge(value: Any, place: str, found: Found, problems: Problems) -> None:
    after = _only(value, "after_ms", place, problems)
    if after is not None and after != "p95" and not _is_whole(after, 1, LONGEST_HEDGE_MS):
        _add(problems, f"{place}.after_ms", f'Milliseconds from 1 to {LONGEST_HEDGE_MS}, or "p95".')
    found["hedge_after_ms"] = after


def _cache(value: Any, place: str, found: Found, problems: Problems) -> None:
    ttl = _only(value, "ttl_s", place, problems)
    if ttl is not None and not _is_whole(ttl, 0, LONGEST_CACHE_S):
        _add(problems, f"{place}.ttl_s", f"Whole seconds from 0 (never) to {LONGEST_CACHE_S}.")
    found["cache_ttl_s"] = ttl


def _timeouts(value: Any, place: str, found: Found, problems: Problems) -> None:
    if type(value) is not dict:
        _add(problems, place, "An object of seconds.")
        return
    kept: dict[str, float] = {}
    for name, seconds in value.items():
        most = LONGEST_SECONDS.get(name)
        if most is None:
            _add(problems, f"{place}.{name}", "There is no such field.")
        elif not _is_number(seconds, 0.001, most):
            _add(problems, f"{place}.{name}", f"Seconds above 0, at most {most}.")
        else:
            kept[name] = float(seconds)
    found["timeouts"] = PolicyTimeouts(**kept)


def _max_price(value: Any, place: str, found: Found, problems: Problems) -> None:
    if type(value) is not dict or not value:
        _add(problems, place, 'An object such as {"input": 1, "output": 4}.')
        return
    ceiling: dict[str, Decimal] = {}
    for name, amount in value.items():
        if name not in {"input", "output"}:
            _add(problems, f"{place}.{name}", "There is no such field.")
        elif (price := usd(amount)) is None:
            told = f"US dollars per million tokens, from 0 to {money.LARGEST}."
            _add(problems, f"{place}.{name}", told)
        else:
            ceiling[name] = price
    found["max_price"] = PriceCeiling(**ceiling)


def _require(value: Any, place: str, found: Found, problems: Problems) -> None:
    listed = _list(value, place, len(CAPABILITIES), problems)
    for i, one in enumerate(listed):
        if type(one) is not str or one not in CAPABILITIES:
            _add(problems, f"{place}.{i}", f"Choose among {', '.join(sorted(CAPABILITIES))}.")
    found["require"] = frozenset(one for one in listed if type(one) is str)


def _sticky(value: Any, place: str, found: Found, problems: Problems) -> None:
    if value != "session":
        _add(problems, place, '"session" is the only thing to stick to.')
    found["sticky"] = True


def _lock(value: Any, place: str, found: Found, problems: Problems) -> None:
    if type(value) is not bool:
        _add(problems, place, "true or false.")
    found["lock"] = value


def _number(low: float, high: float, *, is_whole: bool = False) -> Callable[..., None]:
    def read_field(value: Any, place: str, found: Found, problems: Problems) -> None:
        fits = _is_whole(value, low, high) if is_whole else _is_number(value, low, high)
        if not fits:
            kind = "whole number" if is_whole else "number"
            _add(problems, place, f"A {kind} from {low:g} to {high:g}.")
        found[place] = value

    return read_field


_FIELDS: dict[str, Callable[[Any, str, Found, Problems], None]] = {
    "strategy": _strategy,
    "targets": _targets,
    "fallbacks": _fallbacks,
    "race": _race,
    "hedge": _hedge,
    "hedge_budget": _number(0, 1),
    "retries": _number(0, MOST_RETRIES, is_whole=True),
    "timeouts": _timeouts,
    "cache": _cache,
    "quality": _number(0, 10),
    "good_enough": _number(0.5, 1),
    "max_price": _max_price,
    "require": _require,
    "sticky": _sticky,
    "lock": _lock,
}
FIELDS = tuple(_FIELDS)


def _list(value: Any, place: str, most: int, problems: Problems) -> list[Any]:
    if type(value) is list and len(value) <= most:
        return value
    _add(problems, place, f"A list of at most {most}.")
    return []


def _only(value: Any, field: str, place: str, problems: Problems) -> Any:
    """The one field that an object may have."""
    if type(value) is not dict or value.get(field) is None:
        _add(problems, place, f"An object with {field}.")
        return None
    for name in value.keys() - {field}:
        _add(problems, f"{place}.{name}", "There is no such field.")
    return value[field]


def _is_name(value: Any, place: str, problems: Problems) -> bool:
    if type(value) is not str or not MODEL_NAME.fullmatch(value) or value.startswith("@"):
        _add(problems, place, "A model's name, as a request would write it.")
        return False
    return True


def _is_number(value: Any, low: float, high: float) -> bool:
    return type(value) in {int, float} and low <= value <= high  # NaN is not


def _is_whole(value: Any, low: float, high: float) -> bool:
    return type(value) is int and low <= value <= high
