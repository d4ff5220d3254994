"""Which task is woken how often, in seconds."""

from typing import Any

TIMETABLE: dict[str, dict[str, Any]] = {
    "add up spend": {"task": "billing.tasks.add_up_spend", "schedule": 20.0},
    "settle overdue calls": {"task": "billing.tasks.settle_overdue_calls", "schedule": 60.0},
    "forget old changes": {"task": "billing.tasks.forget_old_changes", "schedule": 3600.0},
    "forget shipped journals": {
        "task": "billing.tasks.forget_shipped_journals",
        "schedule": 3600.0,
    },
    "keep call tables": {"task": "billing.tasks.keep_call_tables", "schedule": 6 * 3600.0},
    "send budget alerts": {"task": "billing.tasks.send_budget_alerts", "schedule": 20.0},
    "send webhooks": {"task": "routing.tasks.send_webhooks", "schedule": 20.0},
    "release dead leases": {"task": "billing.tasks.release_dead_leases", "schedule": 60.0},
    "erase deleted tenants": {"task": "accounts.tasks.erase_deleted_tenants", "schedule": 300.0},
    "end impersonations": {"task": "accounts.tasks.end_impersonations", "schedule": 60.0},
    "send weekly reports": {"task": "dashboard.tasks.send_weekly_reports", "schedule": 900.0},
    "mail key trouble": {"task": "dashboard.tasks.mail_key_trouble", "schedule": 60.0},
    "judge waiting samples": {"task": "routing.tasks.judge_waiting_samples", "schedule": 5.0},
    "guard experiments": {"task": "routing.tasks.guard_experiments", "schedule": 60.0},
    "forget expired answers": {
        "task": "routing.tasks.forget_expired_answers",
        "schedule": 600.0,
    },
    "check provider keys again": {
        "task": "routing.tasks.check_unverified_keys",
        "schedule": 300.0,
    },
}
