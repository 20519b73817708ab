from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dev.commands import COMMANDS, take_python

PROJECT = Path(__file__).resolve().parents[2]


def run_dev(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "dev.py", *arguments]
    return subprocess.run(
        command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=60
    )


def test_help_names_every_command() -> None:
    answer = run_dev("--help")
    assert answer.returncode == 0
    assert all(f"  {name} " in answer.stdout for name in COMMANDS)


def test_unknown_command_is_refused_with_the_list() -> None:
    answer = run_dev("deploy")
    assert answer.returncode == 1
    assert answer.stderr.startswith("dev.py: there is no command 'deploy'.")
    assert "  demo " in answer.stderr


def test_missing_interpreter_is_one_line_without_a_trace() -> None:
    answer = run_dev("test", "--python", "3.99")
    assert answer.returncode == 1
    assert answer.stderr.startswith("dev.py: no Python 3.99 was found. Tried: ")
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--all", "-k", "x"], (None, ["--all", "-k", "x"])),
        (["--python", "3.13", "-x"], ("3.13", ["-x"])),
        (["-x", "--python=3.13"], ("3.13", ["-x"])),
    ],
)
def test_python_option_is_taken_from_the_commands_arguments(
    arguments: list[str], expected: tuple[str | None, list[str]]
) -> None:
    assert take_python(arguments) == expected


def test_what_runs_before_the_environment_exists_is_standard_library_only() -> None:
    """-I -S: no site-packages, as on a machine that has only Python."""
    program = f"import sys; sys.path.insert(0, {str(PROJECT)!r}); import dev.commands"
    subprocess.run([sys.executable, "-I", "-S", "-c", program], check=True, timeout=60)
