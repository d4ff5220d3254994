"""Projects by name, from memory on the request path; a new name is made on first use."""

import re
from uuid import UUID

from asgiref.sync import sync_to_async
from django.db import DatabaseError, close_old_connections

from accounts import audit, changes
from accounts.errors import Conflict, InvalidRequest, Unavailable
from accounts.models import Project, Tenant
from accounts.models.project import NAME_PATTERN
from accounts.signup import DEFAULT_PROJECT
from accounts.tenancy import tenant_scope

KIND = "project"
MOST = 200

_projects: dict[UUID, dict[str, UUID]] = {}


def cached(tenant: UUID, name: str) -> UUID | None:
    """The id of a project, if it is in memory."""
    known = _projects.get(tenant)
    return known.get(name or DEFAULT_PROJECT) if known else None


async def find_or_make(tenant: UUID, name: str) -> UUID:
    """Raises InvalidRequest when the tenant has too many, Unavailable without the database."""
    try:
        return await sync_to_async(_find_or_make, thread_sensitive=False)(tenant, name)
    except DatabaseError:
        raise Unavailable("The gateway cannot read your projects at the moment.") from None


def create(tenant: Tenant, name: str, *, actor: audit.Actor) -> Project:
    """A project before its first call. Raises InvalidRequest or Conflict."""
    _check(tenant, name)
    rows = Project.objects.for_tenant(tenant)
    if rows.count() >= MOST:
        raise Conflict(f"There are {MOST} projects already; use one of them.")
    made = rows.create(tenant=tenant, name=name)
    audit.record(tenant, actor=actor, action="project.created", subject=name)
    changes.record(KIND, tenant=tenant.pk, subject=made.pk)
    return made


def rename(project: Project, name: str, *, actor: audit.Actor) -> Project:
    """Its calls and costs keep to it. A call that still sends the old name makes a new project."""
    before = project.name
    if before == DEFAULT_PROJECT:
        raise Conflict("Calls that name no project go to default: its name stays.")
    if name == before:
        return project
    _check(project.tenant, name)
    project.name = name
    project.save(update_fields=["name"])
    audit.record(project.tenant, actor=actor, action="project.renamed", subject=name, before=before)
    changes.record(KIND, tenant=project.tenant_id, subject=project.pk)
    return project


def _check(tenant: Tenant, name: str) -> None:
    if not re.match(NAME_PATTERN, name):
        raise InvalidRequest(
            "A name has up to 64 lower-case letters, digits, dots, hyphens and underscores.",
            param="name",
        )
    if Project.objects.for_tenant(tenant).filter(name=name).exists():
        raise Conflict(f"There is a project {name} already.")


def _find_or_make(tenant: UUID, name: str) -> UUID:
    name = name or DEFAULT_PROJECT
    generation = changes.feed.generation
    try:
        with tenant_scope(tenant):
            rows = Project.objects.for_tenant(tenant)
            known = dict(rows.values_list("name", "id"))
            if name not in known:
                if len(known) >= MOST:
                    raise InvalidRequest(
                        f"There are {MOST} projects already; use one of them.",
                        param="x-flo2-project",
                    )
                made, _ = rows.get_or_create(name=name, defaults={"tenant_id": tenant})
                known[name] = made.pk
                changes.record(KIND, tenant=tenant, subject=made.pk)
    finally:
        close_old_connections()
    _projects[tenant] = known
    if changes.feed.generation != generation:  # it may have changed while we read
        _forget(tenant, None)
    return known[name]


def _forget(tenant: UUID | None, _: UUID | None) -> None:
    if tenant is None:
        _projects.clear()
    else:
        _projects.pop(tenant, None)


changes.listen(KIND, _forget)
