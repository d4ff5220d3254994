"""`/dashboard/playground/`: one prompt to up to four models, streamed side by side.

Calls take the gateway's own way, with the tenant's keys and budgets, and are on the books like any
other; they belong to no gateway key.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

import msgspec
from django.http import HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from accounts import ids
from accounts.callers import Caller
from accounts.errors import GatewayError, TenantSuspended
from dashboard import snippets
from dashboard.decorators import TenantRequest
from dashboard.forms.playground import PlaygroundForm
from dashboard.pipe import Pipe
from routing import dialects, gateway
from routing.dry_run import Desk
from routing.gateway import FailedAnswer, StreamedAnswer
from routing.opening import Asked
from routing.plan import naming
from routing.wire.openai import request as openai

MOST_MODELS = 4
TAG = "playground"


@dataclass(frozen=True)
class Slot:
    """A place for a model."""

    number: int
    model: str


@require_GET
def playground(request: TenantRequest) -> HttpResponse:
    models = _models(Desk(request.tenant.pk, mode=request.mode, now=timezone.now()))
    wanted = [name for name in request.GET.getlist("model") if name][:MOST_MODELS]
    chosen = wanted or ["auto"]
    slots = [*chosen, *[""] * (MOST_MODELS - len(chosen))]
    context = {
        "form": PlaygroundForm(),
        "models": [*naming.AUTO_STRATEGIES, *models],
        "has_models": bool(models),
        "slots": [Slot(number, name) for number, name in enumerate(slots, start=1)],
        "base": snippets.base_url(request),
    }
    return render(request, "dashboard/playground.html", context)


@require_POST
def run(request: TenantRequest) -> HttpResponseBase:
    """Server-sent events: first `call` with its id and who serves it, then OpenAI's chunks."""
    form = PlaygroundForm(request.POST)
    if not form.is_valid():
        wrong = [f"{name}: {texts[0]}" for name, texts in form.errors.items()]
        return JsonResponse({"message": " ".join(wrong)}, status=400)
    if request.tenant.is_suspended:
        return JsonResponse({"message": str(TenantSuspended())}, status=403)
    caller = Desk(request.tenant.pk, mode=request.mode, now=timezone.now()).caller
    return StreamingHttpResponse(
        _events(caller, form.body()),
        content_type="text/event-stream; charset=utf-8",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _events(caller: Caller, body: bytes) -> AsyncIterator[bytes]:
    """The call, made where the response is read: on the loop that has the connections."""
    made = ids.fresh()
    call = ids.encode(made)
    try:
        answer = await gateway.chat(
            Asked(
                call=call,
                body_id=dialects.CALLERS["openai"].body_prefix + call,
                caller=caller,
                endpoint="chat",
                headers=[(b"x-flo2-tags", TAG.encode())],
                chat=openai.read(body),
                made_ms=ids.made_at(made),
                began=time.monotonic(),
            )
        )
    except GatewayError as error:  # a body that makes no sense
        yield _event("failed", message=str(error), call="")
        return
    told = answer.told
    if isinstance(answer, FailedAnswer):
        yield _event("failed", message=str(answer.error), call=f"call_{call}")
    elif isinstance(answer, StreamedAnswer):
        try:
            yield _event("call", call=f"call_{call}", provider=told.provider, model=told.model)
        except GeneratorExit:  # the browser left before anything was poured
            await answer.leave()
            raise
        async for piece in _poured(answer):
            yield piece


async def _poured(answer: StreamedAnswer) -> AsyncIterator[bytes]:
    """The stream of an answer. Whoever stops reading hangs up on the provider, too."""
    pipe = Pipe()
    pouring = asyncio.ensure_future(answer.pour(pipe))
    pouring.add_done_callback(lambda _: pipe.close())
    try:
        async for piece in pipe.pieces():
            yield piece
        await pouring
    finally:
        if not pouring.done():
            pouring.cancel()
            with suppress(asyncio.CancelledError):
                await pouring


def _event(name: str, **content: str) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(content))


def _models(desk: Desk) -> list[str]:
    """What the tenant can call: all of the catalogue in test mode, else where it has a key."""
    slugs = set(desk.catalog.providers)
    if not desk.caller.is_test:
        keys = desk.live_ring.keys
        slugs = {key.provider for key in keys if key.enabled and key.status != "invalid"}
    return [
        f"{provider.slug}/{model.id}"
        for provider in desk.catalog.providers.values()
        if provider.slug in slugs
        for model in provider.models
        if model.kind == "chat"
    ]
