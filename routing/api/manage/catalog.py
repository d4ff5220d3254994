"""`/api/v1/catalog/…`: what the gateway knows of providers and models, and a tenant's own word."""

import dataclasses
from decimal import Decimal
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.errors import NotFound
from accounts.roles import Right
from billing import money
from billing.pricing import Price, Rates
from routing.api.manage.calls import known, limit_of, parameters
from routing.api.manage.view import ManageView, StrictSerializer, now, scoped, valid
from routing.models import OperatorModel, TenantModel
from routing.providers import overrides, own_models, prices
from routing.providers.catalog_index import Catalog, Offer
from routing.providers.own_models import Description
from routing.providers.spec import CAPABILITIES, KINDS

TAGS = ["catalogue"]
FILTERS = ("provider", "q", "kind", "cursor", "limit")
MOST = 1000
RATES = {
    "input": "input",
    "output": "output",
    "cache_read": "cache_read",
    "cache_write": "cache_write_5m",
    "cache_write_1h": "cache_write_1h",
    "per_request": "per_request",
}
PROVIDER_FIELDS = (
    "slug", "label", "wire", "keys_url", "docs_url", "good_at", "key_prefix", "stores_prompts",
    "abort_stops_billing", "has_own_url",
)  # fmt: skip


def _rate(**options: Any) -> serializers.DecimalField:
    return serializers.DecimalField(
        max_digits=13, decimal_places=6, min_value=Decimal(0), max_value=money.LARGEST, **options
    )


OPTIONAL = {"required": False, "allow_null": True}


class OwnPrice(StrictSerializer):
    """US dollars per million tokens; `per_request` US dollars."""

    input = _rate()
    output = _rate()
    cache_read = _rate(**OPTIONAL)
    cache_write = _rate(**OPTIONAL)
    cache_write_1h = _rate(**OPTIONAL)
    per_request = _rate(**OPTIONAL)


class OwnModel(StrictSerializer):
    """What is left out stands as the catalogue has it."""

    family = serializers.CharField(max_length=200, required=False, allow_blank=True)
    kind = serializers.ChoiceField(sorted(KINDS), required=False)
    context = serializers.IntegerField(  # type: ignore[assignment]
        min_value=1, required=False, allow_null=True
    )
    output = serializers.IntegerField(min_value=1, required=False, allow_null=True)
    can = serializers.ListField(
        child=serializers.ChoiceField(sorted(CAPABILITIES)), required=False, allow_null=True
    )
    reasons = serializers.BooleanField(required=False, allow_null=True)
    price = OwnPrice(required=False, allow_null=True)


@dataclasses.dataclass(frozen=True)
class Known:
    """The catalogue of a tenant with its prices, and who described which model."""

    catalog: Catalog
    own: dict[tuple[str, str], Price]
    by_operator: dict[tuple[str, str], Price]
    described_by: dict[tuple[str, str], str]

    @classmethod
    def of(cls, tenant: Any) -> "Known":
        own, by_operator = prices.read(tenant.pk)
        described = dict.fromkeys(
            OperatorModel.objects.values_list("provider", "model"), "operator"
        )
        mine = TenantModel.objects.for_tenant(tenant).values_list("provider", "model")
        described |= dict.fromkeys(mine, "tenant")
        return cls(overrides.read(tenant.pk), own, by_operator, described)

    def price(self, provider: str, model: str) -> Price | None:
        key = (provider, model)
        set_price = self.own.get(key) or self.by_operator.get(key)
        return set_price or prices.listed(provider, model, today=now().date())

    def shown(self, offer: Offer) -> dict[str, Any]:
        slug, model = offer.provider.slug, offer.model
        if model is None:
            raise NotFound(kind="model")
        price = self.price(slug, model.id)
        return {
            "id": offer.target,
            "provider": slug,
            "model": model.id,
            "family": model.family,
            "aliases": list(model.aliases),
            "kind": model.kind,
            "context": model.context,
            "output": model.output,
            "can": None if model.can is None else sorted(model.can),
            "reasons": model.reasons,
            "auto": model.auto,
            "deprecated": model.deprecated,
            "source": self.described_by.get((slug, model.id), "catalogue"),
            "price": None if price is None else _price(price),
        }


class Providers(ManageView):
    @extend_schema(operation_id="list_providers", responses=OpenApiTypes.OBJECT, tags=TAGS)
    @scoped
    def get(self, request: Request) -> Response:
        """Providers that the gateway can reach."""
        known(request, ())
        listed = [
            {**{name: getattr(one, name) for name in PROVIDER_FIELDS}, "models": len(one.models)}
            for one in overrides.read(self.manager.tenant.pk).providers.values()
        ]
        return Response({"results": listed, "next": None})


class Models(ManageView):
    @extend_schema(
        operation_id="list_catalog_models",
        parameters=parameters(FILTERS),
        responses=OpenApiTypes.OBJECT,
        tags=TAGS,
    )
    @scoped
    def get(self, request: Request) -> Response:
        """Models in the order of their ids: limits, capabilities, prices with source and date."""
        query = known(request, FILTERS)
        limit = limit_of(query, default=100, most=MOST)
        its = Known.of(self.manager.tenant)
        found = sorted(_matching(its.catalog, query), key=lambda offer: offer.target)
        page = [offer for offer in found if offer.target > query.get("cursor", "")][: limit + 1]
        following = page[limit - 1].target if len(page) > limit else None
        return Response({"results": [its.shown(one) for one in page[:limit]], "next": following})


class ModelDetail(ManageView):
    rights = {
        "GET": Right.VIEW,
        "PUT": Right.MANAGE_ROUTING,
        "DELETE": Right.MANAGE_ROUTING,
    }

    @extend_schema(operation_id="retrieve_catalog_model", responses=OpenApiTypes.OBJECT, tags=TAGS)
    @scoped
    def get(self, request: Request, provider: str, model: str) -> Response:
        return self._answer(provider, model)

    @extend_schema(request=OwnModel, responses=OpenApiTypes.OBJECT, tags=TAGS)
    @scoped
    def put(self, request: Request, provider: str, model: str) -> Response:
        """Describe or price a model for this tenant's calls, in place of what it said before."""
        fields = valid(OwnModel, request)
        price = fields.pop("price", None)
        said = {name: value for name, value in fields.items() if value is not None}
        if "can" in said:
            said["can"] = tuple(sorted(set(said["can"])))
        offer = own_models.put(
            self.manager.tenant,
            provider=provider,
            model=model,
            said=Description(**said),
            rates=_rates(price) if price else None,
            actor=self.manager.actor,
        )
        return self._answer(provider, offer.model_id)

    @extend_schema(responses={204: None}, tags=TAGS)
    @scoped
    def delete(self, request: Request, provider: str, model: str) -> Response:
        """Take back what this tenant said of a model: the catalogue's word stands again."""
        own_models.remove(
            self.manager.tenant, provider=provider, model=model, actor=self.manager.actor
        )
        return Response(status=204)

    def _answer(self, provider: str, model: str) -> Response:
        its = Known.of(self.manager.tenant)
        offer = its.catalog.find(provider, model)
        if offer is None:
            raise NotFound(kind="model")
        return Response(its.shown(offer))


def _price(price: Price) -> dict[str, Any]:
    """US dollars per million tokens as text, under the names that a tenant sets them by."""
    tiers = [
        {"above_input_tokens": tier.above_input_tokens, **_amounts(tier.rates)}
        for tier in price.tiers
    ]
    return {"source": price.source, "since": price.since, **_amounts(price.rates), "tiers": tiers}


def _amounts(rates: Rates) -> dict[str, str | None]:
    amounts = {name: getattr(rates, field) for name, field in RATES.items()}
    return {
        name: None if amount is None else money.plain(amount) for name, amount in amounts.items()
    }


def _matching(catalog: Catalog, query: dict[str, str]) -> list[Offer]:
    wanted = query.get("provider", "")
    text, kind = query.get("q", "").lower(), query.get("kind", "")
    return [
        Offer(provider, model.id, model)
        for provider in catalog.providers.values()
        for model in provider.models
        if wanted in {"", provider.slug}
        and kind in {"", model.kind}
        and any(text in name.lower() for name in (model.id, *model.aliases, model.family))
    ]


def _rates(price: dict[str, Decimal | None]) -> Rates:
    """The rates that were sent; the serializer has checked their form and size."""
    sent = {
        field: amount.normalize() + 0
        for name, field in RATES.items()
        if (amount := price.get(name)) is not None
    }
    return Rates(**sent)
