"""No file over 400 lines, no function over 60: small honest files, read from top to bottom."""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

MOST_LINES, MOST_FUNCTION_LINES = 400, 60
MOST_SCRIPT_LINES = 150


def problems(root: Path) -> Iterator[str]:
    """One sentence for each file or function that is too long."""
    for path in tracked(root, "*.py"):
        if "migrations" in path.parts:
            continue
        text = (root / path).read_text()
        count = text.count("\n")
        if count > MOST_LINES:
            yield f"{path}: {count} lines, at most {MOST_LINES}"
        yield from _long_functions(path, ast.parse(text))
    for path in tracked(root, "static/js/*.js"):
        count = (root / path).read_text().count("\n")
        if count > MOST_SCRIPT_LINES:
            yield f"{path}: {count} lines, at most {MOST_SCRIPT_LINES}"


def tracked(root: Path, pattern: str) -> list[Path]:
    """The files of the repository, those not added yet included."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", pattern]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return [Path(line) for line in listed.stdout.splitlines() if (root / line).is_file()]


def _long_functions(path: Path, tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > MOST_FUNCTION_LINES:
                yield f"{path}:{node.lineno}: {node.name} has {lines} lines, at most 60"
