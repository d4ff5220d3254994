"""A new master key: every tenant's data key is wrapped anew, while calls go on.

Put the new key first in FLO2_MASTER_KEYS, keep the old ones behind it, restart, and `rewrap`. What
a process has in memory opens with either. Each batch is a transaction: one who is killed leaves
the rest to the next run. Sealed values themselves stay as they are.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings

from accounts import vault
from accounts.models import Tenant
from accounts.tenancy import system_scope
from accounts.vault import MasterKeyProblem, MasterKeys, SealBroken

BATCH = 200  # tenants in one transaction


@dataclass
class Outcome:
    """What a run has found and done."""

    wrapped: int = 0  # anew
    in_use: Counter[str] = field(default_factory=Counter)  # data keys by the id that wraps them now
    problems: list[str] = field(default_factory=list)  # of data keys that do not open


def rewrap(*, apply: bool = True) -> Outcome:
    """Wrap each data key with the first master key. Raises MasterKeyProblem if there is none."""
    masters, outcome = vault.master_keys(settings.FLO2_MASTER_KEYS), Outcome()
    for batch in _batches():
        with system_scope():
            rows = Tenant.objects.select_for_update(no_key=True).filter(pk__in=batch).order_by("pk")
            for tenant in rows:
                if tenant.sealed_data_key:
                    _rewrap(tenant, masters, outcome, apply=apply)
    return outcome


def _rewrap(tenant: Tenant, masters: MasterKeys, outcome: Outcome, *, apply: bool) -> None:
    wrapped = bytes(tenant.sealed_data_key)
    try:
        if apply and vault.wrapped_with(wrapped) != masters.sealing_id:
            data_key = vault.unwrap(wrapped, tenant=tenant.pk, masters=masters)
            wrapped = vault.wrap(data_key, tenant=tenant.pk, masters=masters)
            tenant.sealed_data_key = wrapped
            tenant.save(update_fields=["sealed_data_key"])
            outcome.wrapped += 1
        outcome.in_use[vault.wrapped_with(wrapped)] += 1
    except (SealBroken, MasterKeyProblem) as problem:
        outcome.problems.append(f"tenant {tenant.pk}: {problem}")


def _batches() -> Iterator[list[UUID]]:
    """All tenants, in the order of their ids."""
    last: UUID | None = None
    while True:
        with system_scope():
            rows = Tenant.objects.order_by("pk")
            found = list(
                (rows.filter(pk__gt=last) if last else rows).values_list("pk", flat=True)[:BATCH]
            )
        if not found:
            return
        yield found
        last = found[-1]
