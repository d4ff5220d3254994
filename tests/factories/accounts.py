"""Users, tenants and what belongs to them."""

from typing import Any

from django.conf import settings

from accounts import audit, gateway_keys, ids, provider_keys, tenancy, vault
from accounts.gateway_keys import Issued, KeyTerms
from accounts.models import Membership, Project, ProviderKey, Tenant, User
from accounts.roles import Role
from accounts.secret import Secret
from tests.factories.typed import ScopedFactory, derived, lazy, sequence, sub

PASSWORD = "correct horse battery staple"


class UserFactory(ScopedFactory[User]):
    """A person who can log in with PASSWORD."""

    class Meta:
        model = User

    email = sequence(lambda n: f"person{n}@example.org")

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, **kwargs: Any) -> User:
        return model_class.objects.create_user(**{"password": PASSWORD, **kwargs})


class TenantFactory(ScopedFactory[Tenant]):
    """A tenant with a data key of its own; nobody belongs to it."""

    class Meta:
        model = Tenant

    id = lazy(ids.new)
    name = sequence(lambda n: f"Tenant {n}")
    sealed_data_key = derived(
        lambda tenant: vault.new_data_key(
            tenant=tenant.id, masters=vault.master_keys(settings.FLO2_MASTER_KEYS)
        )
    )


class MembershipFactory(ScopedFactory[Membership]):
    class Meta:
        model = Membership

    tenant = sub(TenantFactory)
    user = sub(UserFactory)
    role = Role.OWNER


class ProjectFactory(ScopedFactory[Project]):
    class Meta:
        model = Project

    tenant = sub(TenantFactory)
    name = sequence(lambda n: f"project-{n}")


def issue_gateway_key(tenant: Tenant, **terms: Any) -> Issued:
    """A gateway key and its text, on the terms given; live and unrestricted unless they say so."""
    wanted = KeyTerms(**{"name": "A key", "mode": "live", **terms})
    with tenancy.tenant_scope(tenant.pk):
        return gateway_keys.issue(tenant, wanted, actor=audit.SYSTEM)


def add_provider_key(
    tenant: Tenant, *, provider: str = "groq", secret: str = "gsk_0123456789abcdef", **rest: Any
) -> ProviderKey:
    """A provider key that holds this secret, sealed."""
    with tenancy.tenant_scope(tenant.pk):
        return provider_keys.add(
            tenant, provider=provider, secret=Secret(secret), actor=audit.SYSTEM, **rest
        )
