"""`/_control`: faults to switch on, and records to read. For tests, with `--faults` only."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from routing.sandbox.answers import Whole
from routing.sandbox.faults import Fault, UnknownFault
from routing.sandbox.line import Scope
from routing.sandbox.records import Records, Switch

PREFIX = "/_control"


class _Wish(msgspec.Struct, forbid_unknown_fields=True):
    fault: str
    times: int | None = None


_NOT_FOUND = Whole(status=404, body=b'{"error":"not found"}')
_DONE = Whole(status=204, body=b"")


def answer(records: Records, scope: Scope, body: bytes) -> Whole:
    """The answer to a request under `/_control`."""
    if not records.is_on:
        return _NOT_FOUND
    method, path = scope["method"], scope["path"]
    what, _, slug = path.removeprefix(PREFIX).strip("/").partition("/")
    if method == "PUT" and what == "faults" and slug:
        return _switch_on(records, slug, body)
    found = _ANSWERS.get((method, what))
    query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
    return found(records, slug or query.get("slug", "")) if found else _NOT_FOUND


def _switch_on(records: Records, slug: str, body: bytes) -> Whole:
    try:
        wish = msgspec.json.decode(body, type=_Wish)
        Fault.read(wish.fault)
    except (msgspec.MsgspecError, UnknownFault) as error:
        return _json({"error": str(error)}, status=400)
    records.switches[slug] = Switch(wish.fault, wish.times)
    return _DONE


def _switch_off(records: Records, slug: str) -> Whole:
    if slug:
        records.switches.pop(slug, None)
    else:
        records.switches.clear()
    return _DONE


def _forget(records: Records, _: str) -> Whole:
    records.forget()
    return _DONE


def _faults(records: Records, _: str) -> Whole:
    return _json({"faults": records.switches})


def _requests(records: Records, slug: str) -> Whole:
    return _json({"requests": [r for r in records.requests if slug in {"", r["slug"]}]})


def _open(records: Records, slug: str) -> Whole:
    aborted = [one for one in records.aborted if slug in {"", one["slug"]}]
    return _json({"open": len(records.open), "aborted": aborted})


def _billed(records: Records, slug: str) -> Whole:
    return _json({"billed": [one for one in records.billed() if slug in {"", one["slug"]}]})


def _json(content: Any, status: int = 200) -> Whole:
    return Whole(status=status, body=msgspec.json.encode(content))


_ANSWERS: Mapping[tuple[str, str], Callable[[Records, str], Whole]] = {
    ("GET", "faults"): _faults,
    ("DELETE", "faults"): _switch_off,
    ("GET", "requests"): _requests,
    ("DELETE", "requests"): _forget,
    ("GET", "open"): _open,
    ("GET", "billed"): _billed,
}
