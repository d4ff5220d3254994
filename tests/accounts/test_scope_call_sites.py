"""Who looks across tenants: a new place has to be added here, on purpose."""

import ast
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
APPS = ("accounts", "billing", "routing", "dashboard", "gateway_project")

# file: function → how often it enters the scope of the system, and why it may
CALL_SITES = {
    "accounts/callers.py": {"_load": 1},  # a key is known before its tenant is
    "accounts/deletion.py": {"_forget_people": 1},  # who belongs elsewhere keeps their login
    "accounts/impersonation.py": {  # an operator's, who belongs to no tenant
        "start": 1,
        "current": 1,
        "end": 1,
        "end_overdue": 1,
    },
    "accounts/installation.py": {"decide_signup": 1},  # the operator's
    "accounts/invitations.py": {"find": 1, "accept": 1},  # its receiver has no tenant yet
    "accounts/master_keys.py": {"rewrap": 1, "_batches": 1},  # the operator's
    "accounts/members.py": {
        "of_user": 1,  # login: the tenants of a person
        "_save_suspension": 1,  # the operator's
        "set_limits": 1,  # the operator's
        "tenant_ids": 1,  # for tasks that go through all tenants
    },
    "accounts/operator_site.py": {"run": 1},  # operators look after all tenants
    "accounts/signup.py": {"create_tenant": 1},  # there is no tenant yet
    "billing/alerts.py": {"send_waiting": 1},  # which tenants have mail to be sent
    "billing/books.py": {"_book": 1},  # a batch holds calls of many tenants
    "billing/corrections.py": {"_write": 1},  # budgets follow, as after every booking
    "billing/lease_rows.py": {
        "release_the_dead": 1,  # a dead process's, of many tenants
        "write_off": 1,  # a dead host's
    },
    "billing/migrations/0006_sum_up_lost_attempts.py": {"sum_up": 1},
    "billing/reconcile.py": {"give_up_overdue": 1, "_with_opening": 1},
    "billing/retention.py": {"prepare": 1, "forget": 2, "_delete_before": 2},  # tables of all
    "billing/migrations/0011_sum_up_tags.py": {"sum_up": 1},  # all that is kept
    "billing/rollups.py": {"_fold_all": 1, "rebuild_day": 1},
    "billing/webhooks.py": {"announce_waiting": 1, "due": 1},  # whose alerts wait
    "billing/verification.py": {"_snapshot": 1},  # the operator's
    "dashboard/key_trouble.py": {"send_waiting": 1},  # which tenants have mail to be sent
    "dashboard/weekly.py": {
        "find": 1,  # a link is known before its tenant is
        "_tenants_in_time": 1,  # which tenants have mail to be sent
    },
    "routing/api/manage/view.py": {"_by_key": 1},  # a key is known before its tenant is
    # The worker judges the samples of all tenants, one at a time in its tenant's scope.
    "routing/judging/rounds.py": {"guard": 1},
    "routing/judging/waiting.py": {"are_any": 1, "claim": 1, "forget_expired": 1},
    "routing/tasks.py": {"_check_some": 2},  # keys of all tenants wait for a check
}


class _Entries(ast.NodeVisitor):
    """How often each function of a module, the innermost one, calls system_scope."""

    def __init__(self) -> None:
        self.found: Counter[str] = Counter()
        self._inside = ["the module itself"]

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._inside.append(node.name)
        self.generic_visit(node)
        self._inside.pop()

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_Call(self, node: ast.Call) -> None:
        if _name(node.func) == "system_scope":
            self.found[self._inside[-1]] += 1
        self.generic_visit(node)


def _entries(tree: ast.Module) -> Counter[str]:
    visitor = _Entries()
    visitor.visit(tree)
    return visitor.found


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _sources() -> list[Path]:
    return [path for app in APPS for path in sorted((ROOT / app).rglob("*.py"))]


def test_the_scope_of_the_system_is_entered_where_the_list_says_and_nowhere_else() -> None:
    found = {}
    for path in _sources():
        if entries := _entries(ast.parse(path.read_text())):
            found[str(path.relative_to(ROOT))] = dict(entries)

    assert found == CALL_SITES


def test_only_tenancy_tells_the_database_whose_rows_it_may_show() -> None:
    tellers = [
        str(path.relative_to(ROOT))
        for path in _sources()
        if "set_config" in path.read_text() or "app.scope" in path.read_text()
    ]

    assert tellers == ["accounts/tenancy.py"]


def test_no_code_takes_the_manager_that_knows_no_tenants() -> None:
    users = [
        str(path.relative_to(ROOT)) for path in _sources() if "_base_manager" in path.read_text()
    ]

    assert users == []
