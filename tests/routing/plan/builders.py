"""Values that a plan is made of, with what a test does not care about filled in."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from accounts.callers import Caller
from accounts.keyring import EMPTY, Keyring, RingKey
from billing.pricing import Price, Rates
from routing.chat import ChatRequest
from routing.options import NONE, Options
from routing.plan.candidates import NOTHING_LEARNED, Circumstances, Health
from routing.providers import prices

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TENANT = UUID(int=7)


def caller(*, mode: str = "test", allowed: tuple[str, ...] | None = None) -> Caller:
    return Caller(
        tenant_id=TENANT,
        tenant="ten_x",
        key_id=UUID(int=1),
        key="key_x",
        mode=mode,
        project_id=None,
        lineage=UUID(int=1),
        allowed_models=allowed,
        allowed_networks=None,
        expires_at=None,
        expires_epoch=float("inf"),
        is_suspended=False,
    )


def chat(model: str = "auto", **fields: Any) -> ChatRequest:
    values: dict[str, Any] = {
        "dialect": "openai", "body": {}, "model": model, "stream": False, "wants_usage": False,
        "max_tokens": None, "needs": frozenset(), "input_tokens": 100, "size": 360,
    }  # fmt: skip
    return ChatRequest(**{**values, **fields})


def ring(*slugs: str, status: str = "valid", enabled: bool = True) -> Keyring:
    keys = [
        RingKey(
            key_id=UUID(int=number), provider=slug, last4="abcd", weight=1, enabled=enabled,
            status=status, checked_at=NOW, base_url="", sealed=b"",
        )
        for number, slug in enumerate(slugs, start=1)
    ]  # fmt: skip
    return Keyring(TENANT, b"", keys)


def price(input_usd: str, output_usd: str) -> Price:
    return Price(source="test", rates=Rates(Decimal(input_usd), Decimal(output_usd)))


def listed(provider: str, model: str) -> Price | None:
    return prices.listed(provider, model, today=date(2026, 11, 20))


def circumstances(
    request: ChatRequest | None = None,
    *,
    options: Options = NONE,
    keys: Keyring = EMPTY,
    who: Caller | None = None,
    price_of: Any = listed,
    health: Health = NOTHING_LEARNED,
) -> Circumstances:
    return Circumstances(
        chat=request or chat(),
        caller=who or caller(),
        options=options,
        ring=keys,
        price_of=price_of,
        now=NOW,
        health=health,
    )
