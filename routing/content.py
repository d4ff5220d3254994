"""All that is kept of what was said in a tenant's calls, erased at once."""

from dataclasses import dataclass
from datetime import datetime

from accounts import audit, tenant_settings
from accounts.models import Tenant
from routing import feedback, samples
from routing.cache import choice
from routing.training_data import rows


@dataclass(frozen=True)
class Erased:
    """How much there was."""

    cached_answers: int
    collected_calls: int
    samples: int  # of experiments
    comments: int  # of feedback


def erase(tenant: Tenant, *, actor: audit.Actor, now: datetime) -> Erased:
    """Erase training data, kept answers, samples and comments, in the caller's scope.

    What calls that have begun by now would still bring is not written either. Settings, calls and
    costs stay, and experiments go on. Raises Unavailable while the cache's store is away: then
    nothing is erased.
    """
    tenant_settings.forget_content(tenant, now)  # first, as whoever writes content locks it first
    cached = choice.purge(tenant, actor=actor)
    collected = rows.erase(tenant, actor=actor, now=now)
    sampled = samples.erase_all(tenant.pk)
    comments = feedback.erase_comments(tenant.pk)
    audit.record(tenant, actor=actor, action="content.deleted", subject="all", samples=sampled)
    return Erased(cached, collected, sampled, comments)
