"""A tenant's experiments: arms that share calls, samples that wait for a judge, what it said."""

from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Now

from accounts import ids
from accounts.models.project import NAME_PATTERN
from accounts.tenancy import TenantOwned
from billing.models.fields import UsdField


class Experiment(TenantOwned):
    """Terms are fixed at the start; a stopped one never runs again."""

    class Status(models.TextChoices):
        DRAFT = "draft"
        RUNNING = "running"
        STOPPED = "stopped"

    class Assignment(models.TextChoices):
        SESSION = "session"
        CALL = "call"

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    name = models.CharField(max_length=64, validators=[RegexValidator(NAME_PATTERN)])
    mode = models.CharField(max_length=4, default="live")
    policy = models.CharField(max_length=64, blank=True)  # whose calls; empty: of no named policy
    assignment = models.CharField(max_length=7, choices=Assignment.choices)
    key = models.BinaryField(max_length=32, editable=False)  # of the draws; 32 random bytes
    shadow_rate = models.FloatField()
    judge_model = models.CharField(max_length=200, blank=True)
    judge_instructions = models.TextField(max_length=2000, blank=True)
    target_pairs = models.PositiveIntegerField()
    max_judge_spend = UsdField()
    keeps_examples = models.BooleanField(default=False)
    status = models.CharField(max_length=7, choices=Status.choices, default=Status.DRAFT)
    judging_ended = models.CharField(max_length=200, blank=True)  # why no pair is judged any more
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.CharField(max_length=254)
    started_at = models.DateTimeField(null=True, blank=True)
    stopped_at = models.DateTimeField(null=True, blank=True)
    promoted = models.CharField(max_length=16, blank=True)  # the arm that became the policy

    class Meta:
        ordering = ["-created_at", "id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], name="experiment_name_once"),
            models.CheckConstraint(
                condition=models.Q(shadow_rate__gte=0, shadow_rate__lte=1),
                name="experiment_shadow_rate",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def shown_id(self) -> str:
        return ids.show("exp", self.pk)

    @property
    def is_running(self) -> bool:
        return self.status == self.Status.RUNNING


class Arm(TenantOwned):
    """The first arm is the one that the others are compared with."""

    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="arms")
    number = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=16)
    model = models.CharField(max_length=200, blank=True)
    policy = models.CharField(max_length=64, blank=True)
    weight = models.FloatField(default=1.0)
    halted = models.CharField(max_length=200, blank=True)  # why it gets no calls any more
    verdict = models.CharField(max_length=20, blank=True)  # against the first arm, once given

    class Meta:
        ordering = ["number", "id"]
        constraints = [
            models.UniqueConstraint(fields=["experiment", "number"], name="arm_number_once"),
            models.UniqueConstraint(fields=["experiment", "name"], name="arm_name_once"),
            models.CheckConstraint(
                condition=(models.Q(model="") & ~models.Q(policy=""))
                | (~models.Q(model="") & models.Q(policy="")),
                name="arm_model_or_policy",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Sample(TenantOwned):
    """A call that waits to be judged: the row is the queue. Its content is sealed and expires."""

    class State(models.TextChoices):
        WAITING = "waiting"
        DONE = "done"

    id = models.UUIDField(primary_key=True)  # the call's
    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="samples")
    arm = models.CharField(max_length=16)  # that answered the caller
    project_id = models.UUIDField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    state = models.CharField(max_length=7, choices=State.choices, default=State.WAITING)
    content = models.BinaryField(null=True)  # sealed; None once it is erased
    request_digest = models.BinaryField(max_length=16)
    session_digest = models.BinaryField(max_length=16, null=True)  # of session and hour
    claim = models.UUIDField(null=True)  # of whoever judges it now
    claimed_until = models.DateTimeField(null=True)
    reserved = UsdField(default=0)  # the most that every try so far may have cost
    tries = models.PositiveSmallIntegerField(default=0, db_default=0)  # that cost something

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["experiment", "request_digest"], name="sample_request_once"
            ),
            models.UniqueConstraint(
                fields=["experiment", "session_digest"], name="sample_session_once"
            ),
        ]
        indexes = [
            models.Index(
                fields=["claimed_until", "id"],
                condition=models.Q(state="waiting"),
                name="sample_waiting",
            ),
            models.Index(fields=["expires_at"], name="sample_expires"),
        ]

    def __str__(self) -> str:
        return f"{self.id} {self.state}"


class Judgement(TenantOwned):
    """What came of one pair, or of the judge's own test. Rows are added, never changed.

    No words of the pair: figures of style only.
    """

    class Kind(models.TextChoices):
        PAIR = "pair"
        FAILED = "failed"  # one side has no answer
        DROPPED = "dropped"  # the judge said nothing that can be read
        SKIPPED = "skipped"  # nothing to compare
        CANARY = "canary"

    id = models.UUIDField(primary_key=True, default=ids.new, editable=False)
    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="judgements")
    sample = models.UUIDField()  # the call
    challenger = models.CharField(max_length=16)  # the arm that stands against the first one
    # What the pair teaches `auto`: models as `routing.scoring.priors` names them; empty if unknown.
    task = models.CharField(max_length=12, db_default="")
    model = models.CharField(max_length=200, db_default="")  # whose answer was the challenger's
    rival = models.CharField(max_length=200, db_default="")
    kind = models.CharField(max_length=7, choices=Kind.choices)
    at = models.DateTimeField()
    half_points = models.PositiveSmallIntegerField(null=True)  # of the challenger: 0, 1 or 2
    is_consistent = models.BooleanField(null=True)
    style = models.JSONField(null=True)  # differences, see routing.judging.style
    failed = models.CharField(max_length=16, blank=True)  # the arm without an answer
    right = models.PositiveSmallIntegerField(null=True)  # canaries seen through
    cost = UsdField(null=True)  # shadow and judge together; None where a price is unknown

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["experiment", "sample", "kind"], name="judgement_once"),
        ]

    def __str__(self) -> str:
        return f"{self.sample} {self.kind}"
