from billing.models.budget import Budget, BudgetAlert, BudgetWindow, Lease
from billing.models.call import Attempt, Call
from billing.models.correction import Correction
from billing.models.invoice import Invoice
from billing.models.journal_cursor import JournalCursor
from billing.models.kept_calls import KeptCalls
from billing.models.price_override import OperatorPrice, PriceOverride
from billing.models.spend import SpendDay, SpendDelta, SpendHour, TagDay, TagDelta
from billing.models.task_lease import TaskLease
from billing.models.task_run import TaskRun
from billing.models.webhook import Webhook, WebhookDelivery

__all__ = [
    "Attempt",
    "Budget",
    "BudgetAlert",
    "BudgetWindow",
    "Call",
    "Correction",
    "Invoice",
    "JournalCursor",
    "KeptCalls",
    "Lease",
    "OperatorPrice",
    "PriceOverride",
    "SpendDay",
    "SpendDelta",
    "SpendHour",
    "TagDay",
    "TagDelta",
    "TaskLease",
    "TaskRun",
    "Webhook",
    "WebhookDelivery",
]
