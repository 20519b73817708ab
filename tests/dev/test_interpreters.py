from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from dev.interpreters import InterpreterError, find_interpreter, read_version

OWN = f"{sys.version_info.major}.{sys.version_info.minor}"


def write_interpreter(path: Path, version: str, *, code: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho {version}\nexit {code}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def pyenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty PATH and a pyenv of the test's own."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    return tmp_path / "pyenv" / "versions"


def test_own_version_is_this_interpreter() -> None:
    assert find_interpreter(OWN) == Path(sys.executable)
    assert read_version(Path(sys.executable)) == OWN


def test_interpreter_on_path_is_taken(pyenv: Path, tmp_path: Path) -> None:
    python = write_interpreter(tmp_path / "bin" / "python3.99", "3.99")
    assert find_interpreter("3.99") == python


def test_shim_that_does_not_run_is_passed_over_for_pyenvs_newest(
    pyenv: Path, tmp_path: Path
) -> None:
    write_interpreter(tmp_path / "bin" / "python3.99", "pyenv: command not found", code=127)
    write_interpreter(pyenv / "3.99.9" / "bin" / "python3.99", "3.99")
    newest = write_interpreter(pyenv / "3.99.10" / "bin" / "python3.99", "3.99")
    assert find_interpreter("3.99") == newest


def test_missing_interpreter_says_what_was_tried(pyenv: Path, tmp_path: Path) -> None:
    shim = write_interpreter(tmp_path / "bin" / "python3.99", "no", code=127)
    with pytest.raises(InterpreterError, match=str(shim)):
        find_interpreter("3.99")


def test_old_interpreter_is_refused_by_version(tmp_path: Path) -> None:
    old = write_interpreter(tmp_path / "python", "3.9")
    with pytest.raises(InterpreterError, match=r"is Python 3\.9; 3\.11 is the oldest"):
        find_interpreter(str(old))


def test_nonsense_is_refused() -> None:
    with pytest.raises(InterpreterError, match="takes a version"):
        find_interpreter("latest")
