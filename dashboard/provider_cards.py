"""The cards of the providers page: a provider, the tenant's keys there, and what they cost."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.utils import timezone

from accounts.models import ProviderKey
from accounts.models.gateway_key import Mode
from accounts.models.provider_key import KeyStatus
from accounts.secret import Secret
from billing import periods, records, reports
from billing.money import ZERO
from dashboard import snippets
from dashboard.decorators import TenantRequest
from dashboard.forms.providers import NewProviderKeyForm
from routing import key_checks
from routing.providers import catalog_index
from routing.providers.spec import Provider
from routing.upstream import endpoints

DAYS = 30
QUESTION = "provider_key_question"  # in the session: key id → the provider it looks like


@dataclass(frozen=True)
class Row:
    """A key, and the other provider that it looks like until its owner has answered."""

    key: ProviderKey
    likelier: str


@dataclass(frozen=True)
class Card:
    """`cost` is that of live calls in the last 30 days."""

    provider: Provider
    keys: tuple[Row, ...]
    cost: Decimal
    form: NewProviderKeyForm
    models: int
    is_elsewhere: bool  # the operator has named another address than the catalogue's

    @property
    def is_usable(self) -> bool:
        return any(row.key.enabled and row.key.status == KeyStatus.VALID for row in self.keys)


def of(request: TenantRequest, *, wrong: NewProviderKeyForm | None = None) -> list[Card]:
    """The cards in the order of the catalogue; `wrong` is a form that goes back to its card."""
    tenant, questions = request.tenant.pk, request.session.get(QUESTION, {})
    keys = [
        Row(key, questions.get(str(key.pk), "")) for key in ProviderKey.objects.for_tenant(tenant)
    ]
    period = periods.last_days(DAYS, timezone.now())
    rows = reports.spend(tenant, period, mode="live", group_by=("provider",))
    costs = {row.group["provider"]: row.totals.cost for row in rows}
    return [
        _card(provider, keys, costs.get(provider.slug, ZERO), wrong)
        for provider in catalog_index.current().providers.values()
    ]


def _card(
    provider: Provider, keys: Iterable[Row], cost: Decimal, wrong: NewProviderKeyForm | None
) -> Card:
    slug = provider.slug
    is_wrong = wrong is not None and wrong.data.get("provider") == slug
    return Card(
        provider=provider,
        keys=tuple(row for row in keys if row.key.provider == slug),
        cost=cost,
        form=wrong if wrong is not None and is_wrong else NewProviderKeyForm(provider=slug),
        models=len(provider.models),
        is_elsewhere=bool(endpoints.operators(provider)),
    )


def context(request: TenantRequest) -> dict[str, object]:
    """What each card needs beside itself; a call to try until the first live one was made."""
    is_new = not records.has_calls(request.tenant.pk, mode=Mode.LIVE)
    curl = snippets.curl(snippets.base_url(request)) if is_new else ""
    return {"now": timezone.now(), "try_it": curl, "days": DAYS}


def likelier(slug: str, secret: Secret) -> str:
    """The other provider that the key's prefix belongs to, or empty."""
    if not key_checks.hint_for(slug, secret):
        return ""
    text, known = secret.reveal(), catalog_index.current().providers.values()
    fitting = [one for one in known if one.key_prefix and text.startswith(one.key_prefix)]
    return max(fitting, key=lambda one: len(one.key_prefix)).slug


def ask(request: TenantRequest, key: ProviderKey, likelier: str) -> None:
    """Put a question to the owner: does this key belong to the other provider?"""
    questions = request.session.get(QUESTION, {})
    request.session[QUESTION] = {**questions, str(key.pk): likelier}


def answered(request: TenantRequest, key: ProviderKey) -> str:
    """Take the question about this key back; the provider it looked like, or empty."""
    questions = dict(request.session.get(QUESTION, {}))
    likelier = str(questions.pop(str(key.pk), ""))
    if likelier:
        request.session[QUESTION] = questions
    return likelier
