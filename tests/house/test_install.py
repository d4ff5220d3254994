"""Which Python `.venv` is made from, and what is compiled for it."""

import subprocess
import sys
from pathlib import Path

import pytest

import install

KIND = sys.implementation.name + getattr(sys, "abiflags", "")
VERSION = f"{sys.version_info[0]} {sys.version_info[1]}"
NAME = f"python{VERSION.replace(' ', '.')}"
SAME = f"{KIND} {VERSION}"


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder that Pythons are looked for in."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(install, "MORE_PLACES", ())
    return tmp_path


def python(path: Path, says: str) -> str:
    """A program that answers the probe with this line; with an empty one it fails."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {says}\n" if says else "#!/bin/sh\nexit 1\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("other", "is_taken"),
    [
        (f"{SAME} 0.70", True),
        (f"{SAME} 0.95", False),  # hardly quicker
        (f"{SAME} 1.50", False),
        (f"{KIND} 3 99 0.10", False),  # another version, which nobody asked for
        (f"pypy {VERSION} 0.10", False),  # the wheels are CPython's
        ("", False),  # without venv, for example
        ("hello", False),
    ],
)
def test_a_much_quicker_python_of_the_same_version_is_taken(
    places: Path, other: str, is_taken: bool
) -> None:
    own = python(places / "own" / "python3", f"{SAME} 1.00")
    found = python(places / "python3", other)

    assert install.quickest(own) == (found if is_taken else own)


def test_of_several_the_quickest_is_taken_and_that_is_said(
    places: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = python(places / "own" / "python3", f"{SAME} 1.00")
    python(places / "python3", f"{SAME} 0.80")
    quick = python(places / NAME, f"{SAME} 0.50")

    assert install.quickest(own) == quick
    assert f"Taking {quick}: it needs 50 % of the time of {own}." in capsys.readouterr().out


def test_a_python_under_two_names_is_looked_at_once(places: Path) -> None:
    (places / "python3").symlink_to(python(places / "elsewhere" / "python3", f"{SAME} 0.80"))
    (places / NAME).symlink_to(places / "python3")

    assert len(install.others(sys.executable)) == 1


def test_this_python_can_be_probed() -> None:
    found = install.probed(sys.executable)

    assert found is not None
    version, seconds = found
    assert version == tuple(SAME.split())
    assert seconds > 0


def test_our_modules_are_compiled_even_where_python_is_told_not_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setattr(install, "HERE", tmp_path)
    for package in install.OURS:
        (tmp_path / package).mkdir()
        (tmp_path / package / "part.py").write_text("value = 1")

    install.compile_ours(Path(sys.executable))

    compiled = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("part.*.pyc")}
    assert compiled == set(install.OURS)


def test_every_package_of_ours_is_compiled() -> None:
    packages = {path.parent.name for path in install.HERE.glob("*/__init__.py")}

    assert packages - {"tests", "bench"} == set(install.OURS)


@pytest.mark.parametrize("left", ["no pip", "no python"])
def test_an_environment_that_was_left_half_made_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    folder = tmp_path / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    if left == "no python":
        (folder / "bin" / NAME).unlink(missing_ok=True)
        (folder / "bin" / NAME).symlink_to("/nowhere/python")
    lock = tmp_path / "requirements.lock"
    lock.write_text("")
    monkeypatch.setattr(install, "VENV", folder)
    monkeypatch.setattr(install, "PYTHON", folder / "bin" / "python")
    monkeypatch.setattr(install, "RUN", lock)
    monkeypatch.setattr(sys, "argv", ["install.py", "--this-python"])

    assert install.main() == 0
    assert install.runs("import pip")
