"""GatewayError
├── LedgerUnavailable           503 ledger_unavailable
├── BudgetExceeded              402 budget_exceeded
└── RateLimited                 429 rate_limit_exceeded
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from accounts.errors import GatewayError
from billing import money


class LedgerUnavailable(GatewayError):
    """The journal cannot be written, so no call may start."""

    status = 503
    code = "ledger_unavailable"
    message = "The gateway cannot write its books at the moment, so it makes no calls."
    advice = "Try again shortly; the operator sees the reason on /readyz."
    retry = True

    @property
    def headers(self) -> dict[str, str]:
        return {"retry-after": "5"}


class BudgetExceeded(GatewayError):
    """A hard budget cannot pay for what the call may cost at most."""

    status = 402
    code = "budget_exceeded"

    def __init__(
        self,
        *,
        scope: str,
        name: str,
        window: str,
        limit: Decimal,
        spent: Decimal,
        reserved: Decimal,
        needed: Decimal,
        resets_at: datetime | None,
    ) -> None:
        self.scope, self.resets_at = scope, resets_at
        self.amounts = {
            "limit_usd": limit,
            "spent_usd": spent,
            "reserved_usd": reserved,
            "needed_usd": needed,
        }
        self.name = name
        whose = f"the {scope} {name}" if scope != "tenant" else "this account"
        kind = "total budget" if window == "total" else f"budget per {window}"
        remedy = f", or wait until {_moment(resets_at)}" if resets_at else ""
        super().__init__(
            f"The {kind} of {whose} is used up: of {_usd(limit)}, {_usd(spent)} are spent and"
            f" {_usd(reserved)} reserved for calls that run, and this call may cost"
            f" {_usd(needed)}. Raise the limit on the Budgets page{remedy}."
        )

    @property
    def details(self) -> dict[str, Any]:
        return {
            "scope": self.scope,
            "budget_of": self.name,
            **{name: money.plain(amount) for name, amount in self.amounts.items()},
            "resets_at": _moment(self.resets_at) if self.resets_at else None,
        }


class RateLimited(GatewayError):
    """A limit of the key on requests, tokens or calls at a time is reached."""

    status = 429
    code = "rate_limit_exceeded"
    retry = True

    def __init__(self, *, what: str, limit: int, wait_s: float, told: dict[str, str]) -> None:
        self.what, self.limit, self.wait_s, self.told = what, limit, wait_s, told
        super().__init__(
            f"This gateway key's limit of {limit} {what} is reached."
            f" Come back in {max(1, round(wait_s))} s; the limit is set on the Keys page."
        )

    @property
    def headers(self) -> dict[str, str]:
        return {"retry-after": str(max(1, round(self.wait_s + 0.499))), **self.told}

    @property
    def details(self) -> dict[str, Any]:
        return {"limit": self.limit, "limit_of": self.what}


def _usd(amount: Decimal) -> str:
    return f"{money.plain(amount)} USD"


def _moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}" if at else ""
