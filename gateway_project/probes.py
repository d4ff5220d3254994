"""`/healthz` says that the process turns; `/readyz` whether it takes new calls. No Host check."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec
from django.conf import settings

from accounts import changes, vault
from billing.errors import LedgerUnavailable
from routing import runtime

PATHS = frozenset({"/healthz", "/readyz"})
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_state = {"draining": False}


def drain() -> None:
    """From now on this process is not ready: it is about to stop."""
    _state["draining"] = True


async def answer(scope: MutableMapping[str, Any], send: Send) -> None:
    if scope["path"] == "/healthz":
        status, content = 200, {"status": "ok"}
    else:
        problems = not_ready()
        status = 503 if problems else 200
        content = {"status": "not ready" if problems else "ready", **problems}
    body = msgspec.json.encode(content)
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    sent = b"" if scope["method"] == "HEAD" else body
    await send({"type": "http.response.body", "body": sent})


def not_ready() -> dict[str, str]:
    """Why new calls would be refused, by part; empty when they would not."""
    problems = {}
    if _state["draining"]:
        problems["process"] = "draining"
    if not runtime.is_running():
        return {**problems, "process": "starting"}
    if changes.feed.age > changes.CUT_OFF_SECONDS:
        problems["database"] = f"not reached for {changes.feed.age:.0f} s"
    try:
        vault.master_keys(settings.FLO2_MASTER_KEYS)
    except vault.MasterKeyProblem as problem:
        problems["master_keys"] = str(problem)
    try:
        runtime.current().ledger.journal.check_room()
    except LedgerUnavailable:
        problems["journal"] = "the disk is full or cannot be written"
    return problems
