"""Every route to a provider goes through `Ledger.admit`: rates and budgets have been asked."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
APPS = ("accounts", "billing", "routing", "dashboard", "gateway_project")

# file: who calls it; a new place has to be added here, on purpose
OPENERS = {"billing/ledger.py": {"admit", "admit_free"}}
SENDERS = {"routing/execution/whole.py": {"run"}, "routing/execution/streaming.py": {"run"}}


def callers_of(method: str, *, of: str = "") -> dict[str, set[str]]:
    """In which functions of which files a method of this name (of this object) is called."""
    found: dict[str, set[str]] = {}
    for app in APPS:
        for path in sorted((ROOT / app).rglob("*.py")):
            for function in _functions(path):
                if any(_calls(node, method, of) for node in ast.walk(function)):
                    found.setdefault(str(path.relative_to(ROOT)), set()).add(function.name)
    return found


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _calls(node: ast.AST, method: str, of: str) -> bool:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
        return False
    owner = node.func.value
    return node.func.attr == method and (not of or (isinstance(owner, ast.Name) and owner.id == of))


def test_only_admit_opens_a_call() -> None:
    assert callers_of("open_call") == OPENERS


def test_calls_are_admitted_in_one_place() -> None:
    assert callers_of("admit", of="ledger") == {"routing/affording.py": {"admit"}}
    assert callers_of("admit", of="affording") == {"routing/opening.py": {"_open"}}


def test_only_attempts_of_an_open_call_send_to_a_provider() -> None:
    assert callers_of("begin", of="send") == SENDERS
