"""Which calls a tenant wants to collect. Pure, but for the lookup of names.

A filter restricts by what it names; what is left out restricts nothing. In the settings it is a
document: `{"projects": [id], "gateway_keys": [lineage], "models": [pattern], "policies": [name],
"finish_reasons": [word], "share": 0.25}`.
"""

from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, get_args
from uuid import UUID

import msgspec

from accounts import ids
from accounts.errors import InvalidRequest
from accounts.models import GatewayKey, Project, Tenant
from accounts.tenant_settings import Settings
from routing.conversation import Finish

FINISHES: tuple[str, ...] = get_args(Finish)
MOST_NAMES = 100  # in a list
LONGEST_NAME = 200
_SHARES = 2**62  # the random part of an id


class Filter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Empty tuples name nothing. Gateway keys are named by their lineage, which survives a roll."""

    projects: tuple[UUID, ...] = ()
    gateway_keys: tuple[UUID, ...] = ()
    models: tuple[str, ...] = ()  # as asked for, as served, or provider/model; * is any text
    policies: tuple[str, ...] = ()
    finish_reasons: tuple[str, ...] = ()
    share: float = 1.0  # of the calls that fit

    def takes(self, call: UUID, *, project: UUID | None, lineage: UUID | None, policy: str) -> bool:
        """Whether a call that begins may be collected; the share is drawn by its id."""
        if self.projects and project not in self.projects:
            return False
        if self.gateway_keys and lineage not in self.gateway_keys:
            return False
        if self.policies and policy not in self.policies:
            return False
        return self.share >= 1 or call.int % _SHARES < self.share * _SHARES

    def takes_model(self, *names: str) -> bool:
        """Whether a call may be collected that was answered by a model of these names."""
        if not self.models:
            return True
        return any(fnmatchcase(name, pattern) for name in names for pattern in self.models)

    def takes_finish(self, finish: str) -> bool:
        return not self.finish_reasons or finish in self.finish_reasons


def of(its: Settings) -> Filter | None:
    """What a tenant wants to collect; None where it has not asked for anything."""
    return read(its.collect) if its.store_content else None


@lru_cache(maxsize=1024)
def read(document: str) -> Filter:
    """The filter of a document that `document_of` made."""
    return msgspec.json.decode(document, type=Filter)


def document_of(tenant: Tenant, wish: dict[str, Any]) -> dict[str, Any]:
    """A wish with names of projects and ids of keys, as it is stored. In the caller's scope.

    Raises InvalidRequest naming the field.
    """
    found: dict[str, Any] = {}
    if names := _names(wish, "projects"):
        found["projects"] = [str(_project(tenant, name)) for name in names]
    if shown := _names(wish, "gateway_keys"):
        found["gateway_keys"] = list(dict.fromkeys(str(lineage_of(tenant, one)) for one in shown))
    for field in ("models", "policies"):
        if named := _names(wish, field):
            found[field] = named
    if finishes := _names(wish, "finish_reasons"):
        if odd := set(finishes) - set(FINISHES):
            raise InvalidRequest(
                f"finish_reasons: {min(odd)!r} is none of {', '.join(FINISHES)}.",
                param="finish_reasons",
            )
        found["finish_reasons"] = finishes
    share = float(wish.get("share", 1.0))
    if not 0 < share <= 1:
        raise InvalidRequest("share must be more than 0 and at most 1.", param="share")
    return found | ({"share": share} if share < 1 else {})


def shown(tenant: UUID, its: Filter) -> dict[str, Any]:
    """The filter with names of projects and ids of keys; what is gone is left out."""
    projects = Project.objects.for_tenant(tenant).filter(pk__in=its.projects)
    return {
        "projects": list(projects.order_by("name").values_list("name", flat=True)),
        "gateway_keys": [ids.show("key", key.pk) for key in keys_of(tenant, its)],
        "models": list(its.models),
        "policies": list(its.policies),
        "finish_reasons": list(its.finish_reasons),
        "share": its.share,
    }


def keys_of(tenant: UUID, its: Filter) -> list[GatewayKey]:
    """The newest key of each lineage that the filter names."""
    rows = GatewayKey.objects.for_tenant(tenant).filter(lineage__in=its.gateway_keys)
    newest = {key.lineage: key for key in rows.order_by("created_at", "id")}
    return [newest[lineage] for lineage in its.gateway_keys if lineage in newest]


def lineage_of(tenant: Tenant | UUID, shown_id: str) -> UUID:
    """Of the gateway key with this id. Raises InvalidRequest."""
    try:
        wanted = ids.read("key", shown_id)
    except ids.InvalidId:
        wanted = UUID(int=0)
    row = GatewayKey.objects.for_tenant(tenant).filter(pk=wanted).first()
    if row is None:
        raise InvalidRequest(
            f"gateway_keys: there is no gateway key {shown_id!r}.", param="gateway_keys"
        )
    return row.lineage


def _project(tenant: Tenant, name: str) -> UUID:
    row = Project.objects.for_tenant(tenant).filter(name=name).first()
    if row is None:
        raise InvalidRequest(f"projects: there is no project {name!r}.", param="projects")
    return row.pk


def _names(wish: dict[str, Any], field: str) -> list[str]:
    names = list(dict.fromkeys(str(name).strip() for name in wish.get(field) or ()))
    names = [name for name in names if name]
    if len(names) > MOST_NAMES or any(len(name) > LONGEST_NAME or "\0" in name for name in names):
        raise InvalidRequest(
            f"{field} takes at most {MOST_NAMES} names of at most {LONGEST_NAME} characters.",
            param=field,
        )
    return names
