"""Writes down when a tenant's first live call came: its pages then open with live data."""

import logging
from datetime import datetime
from uuid import UUID

from django.db import DatabaseError

from accounts.models import Tenant
from accounts.models.gateway_key import Mode
from accounts.tenancy import tenant_scope
from billing.deltas import Booked
from billing.rows import instant

log = logging.getLogger(__name__)

_noted: set[UUID] = set()  # tenants that this process need not write about again


def note(booked: list[Booked]) -> None:
    """A listener of the shipper: one write per tenant and process."""
    for tenant, at in _firsts(booked).items():
        try:
            with tenant_scope(tenant):
                Tenant.objects.filter(pk=tenant, first_live_call_at=None).update(
                    first_live_call_at=at
                )
        except DatabaseError:
            log.exception("a tenant's first live call was not noted; its next one will be")
        else:
            _noted.add(tenant)


def forget() -> None:
    """Forget what was noted, as a new process has."""
    _noted.clear()


def _firsts(booked: list[Booked]) -> dict[UUID, datetime]:
    """The earliest answered live call of each tenant that is not noted yet."""
    found: dict[UUID, datetime] = {}
    for one in booked:
        opened = one.opened
        if opened.tenant in _noted or opened.mode != Mode.LIVE or not _counts(one):
            continue
        at = instant(opened.opened_at)
        found[opened.tenant] = min(at, found.get(opened.tenant, at))
    return found


def _counts(one: Booked) -> bool:
    """Refusals are records, too, but nothing to look at live data for."""
    return one.settled is not None and one.settled.status == "succeeded"
