"""Plans without calls: how a tenant's requests would go under a policy, as things stand now.

For pages and the management API: everything is read from the database, in the caller's scope.
"""

import random
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from asgiref.sync import async_to_sync
from django.conf import settings

from accounts import ids, keyring, tenant_settings
from accounts.callers import Caller
from accounts.errors import GatewayError
from accounts.keyring import Keyring
from billing.pricing import Price
from routing import labels, policy_terms, runtime
from routing.chat import ChatRequest
from routing.options import NONE, Options
from routing.plan import explain
from routing.plan import plan as plans
from routing.plan.candidates import NOTHING_LEARNED, Circumstances, Health
from routing.plan.naming import resolve
from routing.plan.plan import Known, Plan
from routing.policy_terms import PolicyInForce, Terms
from routing.providers import overrides, prices
from routing.providers.catalog_index import Catalog, Offer
from routing.providers.prices import Model
from routing.scoring.scorer import Scorer

PROVIDERS_PAGE = "/dashboard/providers/"
USUAL_TOKENS = 500


@dataclass(frozen=True)
class PricesNow:
    """Today's prices of a tenant as the database has them."""

    own: dict[Model, Price]
    by_operator: dict[Model, Price]
    today: date

    def __call__(self, provider: str, model: str) -> Price | None:
        target = (provider, model)
        found = self.own.get(target) or self.by_operator.get(target)
        return found or prices.listed(provider, model, today=self.today)


class Desk:
    """What a tenant's plans rest on, each part read when it is needed."""

    def __init__(self, tenant: UUID, *, mode: str, now: datetime) -> None:
        self.caller, self.now = _caller(tenant, mode), now

    @cached_property
    def catalog(self) -> Catalog:
        return overrides.read(self.caller.tenant_id)

    @cached_property
    def live_ring(self) -> Keyring:
        return keyring.read(self.caller.tenant_id)

    @cached_property
    def price_of(self) -> PricesNow:
        own, by_operator = prices.read(self.caller.tenant_id)
        return PricesNow(own, by_operator, self.now.date())

    @cached_property
    def scorer(self) -> Scorer:
        return labels.scorer_of(self.caller.tenant_id, self.caller.mode, self.now)

    @cached_property
    def is_caching(self) -> bool:
        return tenant_settings.read(self.caller.tenant_id).cache_enabled

    def plan(
        self,
        chat: ChatRequest,
        policy: PolicyInForce | None,
        *,
        options: Options = NONE,
        rng: random.Random | None = None,
        health: Health = NOTHING_LEARNED,
    ) -> tuple[Circumstances, Plan]:
        """Raises GatewayError for a request that makes no sense."""
        its = Circumstances(
            chat=chat,
            caller=self.caller,
            options=options,
            ring=keyring.EMPTY if self.caller.is_test else self.live_ring,
            price_of=self.price_of,
            now=self.now,
            health=health,
        )
        plan = plans.draft(
            its,
            catalog=self.catalog,
            providers_url=settings.FLO2_PUBLIC_URL + PROVIDERS_PAGE,
            policy=policy,
            known=Known(rng=rng, scorer=self.scorer),
        )
        return its, plan

    def explained(self, chat: ChatRequest, policy: PolicyInForce | None) -> dict[str, Any]:
        """The plan as data, with what this process has learned. Raises GatewayError."""
        # Read here, and not on the loop.
        _ = self.catalog, self.live_ring, self.price_of, self.is_caching, self.scorer
        if not runtime.is_running():
            its, plan = self.plan(chat, policy)
            return self._told(plan, its)
        return async_to_sync(self._explained_on_the_loop)(chat, policy)

    async def _explained_on_the_loop(
        self, chat: ChatRequest, policy: PolicyInForce | None
    ) -> dict[str, Any]:
        """What was learned belongs to the loop that makes calls."""
        health = runtime.current().health.of(self.caller.mode, self.caller.tenant_id)
        its, plan = self.plan(chat, policy, health=health)
        return self._told(plan, its)

    def _told(self, plan: Plan, its: Circumstances) -> dict[str, Any]:
        cache = explain.cache_wish(plan, its, is_enabled=self.is_caching)
        return explain.explained(plan, its, cache)

    def warnings(self, terms: Terms) -> list[dict[str, str]]:
        """What will have no effect, or not the one that is likely meant: field and message."""
        found = [
            {"field": field, "message": text}
            for field, texts in policy_terms.idle(terms).items()
            for text in texts
        ]
        named = [(f"targets.{i}", one.model) for i, one in enumerate(terms.targets)]
        named += [(f"fallbacks.{i}", name) for i, name in enumerate(terms.fallbacks)]
        for field, name in named:
            if text := self._doubt(name):
                found.append({"field": field, "message": text})
        if terms.cache_ttl_s and not self.is_caching:
            text = "Caching is not switched on for this tenant, so nothing is stored."
            found.append({"field": "cache", "message": text})
        return found

    def _doubt(self, name: str) -> str:
        """Why a target may serve no live call; empty if one of the tenant's keys can serve it."""
        try:
            wanted = resolve(name, self.catalog)
        except GatewayError:
            return f"No catalogue knows {name!r}."
        if wanted.strategy:
            return f"The suffix of {name!r} has no meaning in a list: the policy's strategy ranks."
        if any(self._has_key(offer) for offer in wanted.offers):
            return ""
        labels = self.catalog.labels(dict.fromkeys(o.provider.slug for o in wanted.offers))
        return f"No provider key of yours can serve {name!r}: paste one of {labels}."

    def _has_key(self, offer: Offer) -> bool:
        keys = self.live_ring.by_provider.get(offer.provider.slug, ())
        return any(key.enabled and key.status != "invalid" for key in keys)


def request(
    model: str,
    *,
    input_tokens: int = USUAL_TOKENS,
    max_tokens: int | None = None,
    needs: frozenset[str] = frozenset(),
    stream: bool = True,
) -> ChatRequest:
    """A request of which only this much is known."""
    return ChatRequest(
        dialect="openai",
        body={"model": model, "messages": []},
        model=model,
        stream=stream,
        wants_usage=stream,
        max_tokens=max_tokens,
        needs=needs,
        input_tokens=input_tokens,
        size=input_tokens * 4,
    )


def _caller(tenant: UUID, mode: str) -> Caller:
    """A caller of the tenant whose key restricts nothing."""
    nobody = UUID(int=0)
    return Caller(
        tenant_id=tenant,
        tenant=ids.show("ten", tenant),
        key_id=nobody,
        key="",
        mode=mode,
        project_id=None,
        lineage=nobody,
        allowed_models=None,
        allowed_networks=None,
        expires_at=None,
        expires_epoch=float("inf"),
        is_suspended=False,
    )
