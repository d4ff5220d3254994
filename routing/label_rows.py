"""A tenant's labels as the database has them: pairs of judges who can be trusted, users' scores."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from uuid import UUID

from django.db.models import Avg, Count
from django.db.models.functions import TruncDate

from routing.models import Feedback, Judgement
from routing.providers import overrides, prices
from routing.providers.catalog_index import Catalog
from routing.scoring import priors, trust
from routing.scoring.constants import HALF_LIFE_DAYS
from routing.scoring.learned import Judged, Rated

OLDEST = timedelta(days=10 * HALF_LIFE_DAYS)  # counts a thousandth
PAIR, CANARY = Judgement.Kind.PAIR, Judgement.Kind.CANARY


@dataclass
class Labels:
    """Those of a day that came out alike are one."""

    pairs: list[Judged] = field(default_factory=list)
    scores: list[Rated] = field(default_factory=list)


class Rows:
    """A tenant's labels by mode; no mode that has none."""

    def __init__(self, tenant: UUID, now: datetime) -> None:
        self._tenant, self._now = tenant, now
        self.by_mode: dict[str, Labels] = defaultdict(Labels)

    @cached_property
    def catalog(self) -> Catalog:
        return overrides.read(self._tenant)

    def prior(self, model: str) -> float:
        """What is believed of a model before anybody judged it."""
        if (known := priors.shipped().get(model)) is not None:
            return known
        today = self._now.date()
        found = [
            prices.listed(offer.provider.slug, offer.model_id, today=today)
            for offer in self.catalog.offers(model)
        ]
        return max(map(priors.of_price, found), default=priors.LEAST)

    def name_of(self, provider: str, model: str) -> str:
        offer = self.catalog.find(provider, model)
        return priors.name_of(offer) if offer else priors.folded(model)


def read(tenant: UUID, now: datetime) -> Rows:
    """In the caller's scope: three queries, two more for the catalogue where there are labels."""
    rows = Rows(tenant, now)
    for mode, pair in _pairs(tenant, now):
        rows.by_mode[mode].pairs.append(pair)
    for mode, score in _scores(rows, tenant, now):
        rows.by_mode[mode].scores.append(score)
    return rows


def _pairs(tenant: UUID, now: datetime) -> Iterator[tuple[str, Judged]]:
    day = TruncDate("at", tzinfo=UTC)
    found = Judgement.objects.for_tenant(tenant).filter(kind=PAIR, at__gte=now - OLDEST)
    counted = list(
        found.exclude(model="")
        .exclude(rival="")
        .order_by()
        .values_list(
            "experiment", "is_consistent", "experiment__mode", "task", "rival", "model",
            "half_points", day,
        )
        .annotate(count=Count("id"))
        .order_by("experiment", "is_consistent", "task", "rival", "model", "half_points", day)
    )  # fmt: skip
    doubted = _doubted(tenant, [(row[0], bool(row[1]), row[-1]) for row in counted])
    for experiment, _, mode, task, rival, model, points, on, count in counted:
        if experiment not in doubted:
            yield (
                mode,
                Judged(
                    a=rival, b=model, score=points / 2, task=task, at=_end_of(on, now), count=count
                ),
            )


def _doubted(tenant: UUID, pairs: list[tuple[UUID, bool, int]]) -> set[UUID]:
    """Experiments whose judge decides by order, or fell for the canaries when last shown some."""
    consistent, total = Counter[UUID](), Counter[UUID]()
    for experiment, is_consistent, count in pairs:
        total[experiment] += count
        consistent[experiment] += count * is_consistent
    shown = Judgement.objects.for_tenant(tenant).filter(kind=CANARY).order_by("id")
    last = dict(shown.values_list("experiment", "right"))
    return {one for one, n in total.items() if trust.is_unreliable(consistent[one], n)} | {
        one for one, right in last.items() if trust.falls_for_canaries(right)
    }


def _scores(rows: Rows, tenant: UUID, now: datetime) -> Iterator[tuple[str, Rated]]:
    day = TruncDate("created_at", tzinfo=UTC)
    found = Feedback.objects.for_tenant(tenant).filter(created_at__gte=now - OLDEST).order_by()
    counted = (
        found.values_list("mode", "provider", "model", "task", day)
        .annotate(count=Count("id"), mean=Avg("score"))
        .order_by("mode", "provider", "model", "task", day)
    )
    for mode, provider, model, task, on, count, mean in counted:
        name = rows.name_of(provider, model)
        yield mode, Rated(model=name, score=mean, task=task, at=_end_of(on, now), count=count)


def _end_of(day: date, now: datetime) -> datetime:
    return min(now, datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1))
