"""Who may do what within a tenant: one table."""

from django.db.models import TextChoices


class Role(TextChoices):
    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"


class Right(TextChoices):
    VIEW = "view"  # pages and reports
    CALL = "call"  # playground, dry runs, own test calls
    MANAGE_KEYS = "manage_keys"  # gateway keys, provider keys, projects
    MANAGE_ROUTING = "manage_routing"  # policies, budgets, experiments, prices
    MANAGE_PEOPLE = "manage_people"  # members, invitations
    MANAGE_TENANT = "manage_tenant"  # settings, content, management keys
    OWN = "own"  # transfer or delete the tenant


RIGHTS: dict[Role, frozenset[Right]] = {
    Role.OWNER: frozenset(Right),
    Role.ADMIN: frozenset(Right) - {Right.OWN},
    Role.MEMBER: frozenset({Right.VIEW, Right.CALL, Right.MANAGE_KEYS, Right.MANAGE_ROUTING}),
    Role.VIEWER: frozenset({Right.VIEW}),
}


def has_right(role: str, right: Right) -> bool:
    return right in RIGHTS[Role(role)]
