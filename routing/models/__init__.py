"""Tables of routing."""

from routing.models.cache import CachedAnswer
from routing.models.catalog import OperatorBaseUrl, OperatorModel, TenantModel
from routing.models.experiment import Arm, Experiment, Judgement, Sample
from routing.models.feedback import Feedback
from routing.models.idempotent import IdempotentCall
from routing.models.policy import Policy, PolicyVersion
from routing.models.training import CollectedCall

__all__ = [
    "Arm",
    "CachedAnswer",
    "CollectedCall",
    "Experiment",
    "Feedback",
    "IdempotentCall",
    "Judgement",
    "OperatorBaseUrl",
    "OperatorModel",
    "Policy",
    "PolicyVersion",
    "Sample",
    "TenantModel",
]
