"""What the operator and tenants add to the catalogue."""

from routing.models import OperatorBaseUrl, OperatorModel, TenantModel
from tests.factories.accounts import TenantFactory
from tests.factories.typed import ScopedFactory, sequence, sub


class TenantModelFactory(ScopedFactory[TenantModel]):
    """A model of Groq that the release does not know."""

    class Meta:
        model = TenantModel

    tenant = sub(TenantFactory)
    provider = "groq"
    model = sequence(lambda n: f"acme/own-{n}")
    created_by = "owner@example.org"


class OperatorModelFactory(ScopedFactory[OperatorModel]):
    class Meta:
        model = OperatorModel

    provider = "groq"
    model = sequence(lambda n: f"acme/shared-{n}")
    created_by = "operator: ops@example.org"


class OperatorBaseUrlFactory(ScopedFactory[OperatorBaseUrl]):
    class Meta:
        model = OperatorBaseUrl

    provider = "groq"
    base_url = "https://eu.groq.example.com/openai/v1"
    created_by = "operator: ops@example.org"
