"""Scores of answers: `POST /v1/feedback`, one per call; counted per model."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Avg, Count

from accounts import changes, ids
from accounts.callers import Caller
from accounts.errors import InvalidRequest, NotFound
from billing import records
from routing import labels
from routing.models import Feedback
from routing.options import LONGEST_TAG, MOST_TAGS

LONGEST_COMMENT = 1000
FIELDS = frozenset({"call_id", "score", "comment", "tags"})
PREFIXES = ("chatcmpl-", "msg_", "resp_", "embd-", "call_")


@dataclass(frozen=True)
class Word:
    """What a caller says of a call."""

    call: UUID
    score: float
    comment: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class OfModel:
    """How often a model was scored, and how on average."""

    provider: str
    model: str
    scores: int
    mean: float


def read(body: dict[str, Any]) -> Word:
    """Raises InvalidRequest naming the field."""
    if unknown := sorted(body.keys() - FIELDS):
        raise InvalidRequest(f"There is no field {unknown[0]}.", param=unknown[0])
    call, comment, tags = (body.get(name) for name in ("call_id", "comment", "tags"))
    return Word(_call(call), _score(body.get("score")), _comment(comment), _tags(tags))


def save(caller: Caller, word: Word, *, now: datetime) -> Feedback | None:
    """Keep the word, in place of an earlier one; None while the call is not on the books yet.

    In the caller's scope. Raises NotFound for a call that was not answered, or of the other mode.
    """
    found = records.find_call(caller.tenant_id, word.call)
    if found is None or found[0].status == "open":
        return None
    call = found[0]
    if call.mode != caller.mode or not call.model:
        raise NotFound(kind="answered call")
    row, _ = Feedback.objects.for_tenant(caller.tenant_id).update_or_create(
        tenant_id=caller.tenant_id,
        call=word.call,
        defaults={
            "mode": call.mode,
            "provider": call.provider,
            "model": call.model,
            "score": word.score,
            "task": call.task,
            "comment": word.comment,
            "tags": list(word.tags),
            "created_at": now,
        },
    )
    changes.record(labels.KIND, tenant=caller.tenant_id)
    return row


def of_call(tenant: UUID, call: UUID) -> Feedback | None:
    return Feedback.objects.for_tenant(tenant).filter(call=call).first()


def erase_comments(tenant: UUID) -> int:
    """Forget what people wrote, of how many calls; scores and tags stay. In the tenant's scope."""
    return Feedback.objects.for_tenant(tenant).exclude(comment="").update(comment="")


def by_model(tenant: UUID, *, mode: str) -> list[OfModel]:
    """The models that were scored, the most often scored first."""
    rows = Feedback.objects.for_tenant(tenant).filter(mode=mode).order_by()
    sums = rows.values_list("provider", "model").annotate(scores=Count("id"), mean=Avg("score"))
    return [OfModel(*row) for row in sums.order_by("-scores", "provider", "model")]


def as_json(row: Feedback) -> dict[str, Any]:
    return {
        "call_id": ids.show("call", row.call),
        "mode": row.mode,
        "provider": row.provider,
        "model": row.model,
        "score": row.score,
        "comment": row.comment,
        "tags": row.tags,
        "created_at": row.created_at.isoformat(),
    }


def _score(value: Any) -> float:
    if type(value) not in {int, float} or not -1 <= value <= 1:  # NaN is not
        raise InvalidRequest("score must be a number from -1 to 1.", param="score")
    return float(value)


def _call(shown: Any) -> UUID:
    if type(shown) is not str:
        raise InvalidRequest("call_id must be the id of a call.", param="call_id")
    for prefix in PREFIXES:
        shown = shown.removeprefix(prefix)
    try:
        return ids.decode(shown)
    except ids.InvalidId:
        raise NotFound(kind="answered call") from None


def _comment(value: Any) -> str:
    if value is None:
        return ""
    if type(value) is not str or len(value) > LONGEST_COMMENT or "\0" in value:
        raise InvalidRequest(
            f"comment must be a text of at most {LONGEST_COMMENT} characters.", param="comment"
        )
    return value


def _tags(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    fits = type(value) is list and len(value) <= MOST_TAGS
    if not fits or not all(
        type(t) is str and 0 < len(t) <= LONGEST_TAG and "\0" not in t for t in value
    ):
        raise InvalidRequest(f"tags must be a list of at most {MOST_TAGS} words.", param="tags")
    return tuple(dict.fromkeys(value))
