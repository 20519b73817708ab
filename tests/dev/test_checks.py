"""`dev.py test` on a project of the test's own: what it answers when a check or a test fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dev import checks

GOOD = "def test_truth():\n    assert 1 + 1 == 2\n"
BAD = "def test_truth():\n    assert 1 + 1 == 3\n"
UNUSED_IMPORT = "import os\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").write_text('[tool.mypy]\nfiles = ["app.py"]\n')
    (tmp_path / "app.py").write_text("answer: int = 42\n")
    (tmp_path / "test_app.py").write_text(GOOD)
    monkeypatch.setattr(checks, "PROJECT", tmp_path)
    return tmp_path


def run(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    code = checks.main(["-p", "no:cacheprovider", *arguments])
    return code, capfd.readouterr().out.strip().splitlines()


def test_all_green_ends_with_pytests_own_line(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code, lines = run(capfd)
    assert code == 0
    assert "1 passed" in lines[-1]
    assert [line.split(": ")[1][:2] for line in lines if line.split(":")[0] in checks.CHECKS] == [
        "ok"
    ] * 3


def test_failing_test_fails_the_command(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (project / "test_app.py").write_text(BAD)
    code, lines = run(capfd)
    assert code == 1
    assert "1 failed" in lines[-1]


def test_failing_check_fails_the_command_though_tests_pass(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (project / "app.py").write_text(UNUSED_IMPORT)
    code, lines = run(capfd)
    assert code == 1
    assert lines[-1] == "checks: 2 passed, 1 failed (ruff check)"


def test_tests_only_runs_no_check(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (project / "app.py").write_text(UNUSED_IMPORT)
    code, lines = run(capfd, "--tests-only")
    assert code == 0
    assert not any(line.startswith("ruff") for line in lines)


def test_slow_tests_run_with_all_only(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (project / "pyproject.toml").write_text('[tool.pytest.ini_options]\nmarkers = ["slow"]\n')
    (project / "test_app.py").write_text(
        f"import pytest\n{GOOD}@pytest.mark.slow\n{GOOD.replace('truth', 'more')}"
    )
    assert "1 passed, 1 deselected" in run(capfd, "--tests-only")[1][-1]
    assert "2 passed" in run(capfd, "--tests-only", "--all")[1][-1]


def test_command_line_reaches_the_checks() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "dev.checks", "--help"], capture_output=True, text=True, check=True
    )
    assert "--tests-only" in answer.stdout
