"""`GET /v1/models`: what this key can call now."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema

from accounts import keyring
from accounts.callers import Caller
from billing import money
from billing.pricing import Price
from routing.api import responses
from routing.api.async_view import GatewayView
from routing.api.requests import LeanRequest
from routing.api.responses import RawResponse
from routing.errors import ModelNotFound
from routing.opening import catalog_of, price_function
from routing.plan import naming
from routing.plan.candidates import PriceOf
from routing.providers.catalog_index import Catalog, Offer

# What any chat model takes, and what depends on a capability.
_PARAMETERS = (
    "max_tokens", "max_completion_tokens", "temperature", "top_p", "stop", "seed", "stream",
    "frequency_penalty", "presence_penalty", "logit_bias", "user",
)  # fmt: skip
_BY_CAPABILITY = {
    "tools": ("tools", "tool_choice", "parallel_tool_calls"),
    "json_schema": ("response_format", "structured_outputs"),
    "logprobs": ("logprobs", "top_logprobs"),
    "reasoning": ("reasoning_effort",),
    "n": ("n",),
}


_KINDS = frozenset({"chat", "embedding"})  # that an endpoint of ours answers


class Models(GatewayView):
    @extend_schema(
        summary="Models that this key can call",
        responses={200: OpenApiTypes.OBJECT},
        tags=["gateway"],
    )
    async def get(self, request: LeanRequest, caller: Caller) -> RawResponse:
        prices = await price_function(caller, _today())
        catalog = await catalog_of(caller)
        names = [name for name in naming.AUTO_STRATEGIES if caller.may_use(name)]
        listed = [_auto(name, catalog) for name in names]
        listed += [_shown(offer, prices) for offer in await _callable(caller, catalog)]
        if request.dialect == "anthropic":
            return responses.of_json(_page([_as_anthropic(one) for one in listed]), request.call)
        return responses.of_json({"object": "list", "data": listed}, request.call)


class Model(GatewayView):
    @extend_schema(
        summary="One model by its id",
        responses={200: OpenApiTypes.OBJECT},
        tags=["gateway"],
    )
    async def get(self, request: LeanRequest, caller: Caller, name: str) -> RawResponse:
        catalog = await catalog_of(caller)
        if name in naming.AUTO_STRATEGIES:
            return _one(_auto(name, catalog), request)
        wanted = naming.resolve(name, catalog)
        mine = {offer.target for offer in await _callable(caller, catalog)}
        offers = [offer for offer in wanted.offers if offer.target in mine]
        if not offers:
            raise ModelNotFound(model=name, hint="GET /v1/models lists what this key can call.")
        shown = _shown(offers[0], await price_function(caller, _today()))
        shown["providers"] = [offer.provider.slug for offer in offers]
        return _one({**shown, "id": name}, request)


def _one(shown: dict[str, Any], request: LeanRequest) -> RawResponse:
    if request.dialect == "anthropic":
        shown = _as_anthropic(shown)
    return responses.of_json(shown, request.call)


async def _callable(caller: Caller, catalog: Catalog) -> list[Offer]:
    """Offers whose provider the tenant has a key of, and that the key may use."""
    slugs = set(catalog.providers)
    if not caller.is_test:
        ring = keyring.cached(caller.tenant_id) or await keyring.load(caller.tenant_id)
        slugs = {key.provider for key in ring.keys if key.enabled and key.status != "invalid"}
    return [offer for offer in _offers(slugs, catalog) if caller.may_use(offer.target)]


def _offers(slugs: set[str], catalog: Catalog) -> Iterator[Offer]:
    for provider in catalog.providers.values():
        if provider.slug in slugs:
            for model in provider.models:
                if model.kind in _KINDS:
                    yield Offer(provider, model.id, model)


def _page(listed: list[dict[str, Any]]) -> dict[str, Any]:
    """Anthropic's list: all on one page."""
    return {
        "data": listed,
        "first_id": listed[0]["id"] if listed else None,
        "last_id": listed[-1]["id"] if listed else None,
        "has_more": False,
    }


def _as_anthropic(shown: dict[str, Any]) -> dict[str, Any]:
    """A model as Anthropic shows its own, with what we add to it."""
    return {
        "type": "model",
        "id": shown["id"],
        "display_name": shown.get("name") or shown["id"],
        "created_at": "1970-01-01T00:00:00Z",  # Anthropic's own word for "not known"
        "max_input_tokens": shown.get("context_length"),
        "max_tokens": shown.get("max_output_tokens"),
        "capabilities": None,
        "lifecycle": "active",
        **{name: shown.get(name) for name in ("pricing", "supported_parameters", "providers")},
    }


def _auto(name: str, catalog: Catalog) -> dict[str, Any]:
    return {
        "id": name,
        "object": "model",
        "created": 0,
        "owned_by": "flo2",
        "name": "Chosen for each call by the key's policy",
        "providers": list(catalog.providers),
    }


def _shown(offer: Offer, price_of: PriceOf) -> dict[str, Any]:
    model = offer.model
    return {
        "id": offer.target,
        "object": "model",
        "created": 0,
        "owned_by": offer.provider.slug,
        "context_length": model.context if model else None,
        "max_output_tokens": model.output if model else None,
        "supported_parameters": _parameters(offer),
        "pricing": _pricing(price_of(offer.provider.slug, offer.model_id)),
        "providers": [offer.provider.slug],
    }


def _parameters(offer: Offer) -> list[str]:
    model, quirks = offer.model, offer.provider.quirks_of(offer.model)
    names = list(_PARAMETERS)
    for capability, parameters in _BY_CAPABILITY.items():
        if model is None or model.has(capability):
            names += parameters
    return [name for name in names if name not in quirks.drop]


def _pricing(price: Price | None) -> dict[str, Any] | None:
    """USD per token as text, with OpenRouter's names; None where the price is not known."""
    if price is None:
        return None
    rates = price.rates
    return {
        "prompt": _per_token(rates.input),
        "completion": _per_token(rates.output),
        "input_cache_read": _per_token(rates.cache_read),
        "input_cache_write": _per_token(rates.cache_write_5m),
        "source": price.source,
        "since": price.since.isoformat() if price.since else None,
    }


def _per_token(rate: Decimal | None) -> str | None:
    return None if rate is None else money.plain(rate.scaleb(-6))


def _today() -> date:
    return datetime.now(UTC).date()
