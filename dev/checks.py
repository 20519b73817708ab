"""`dev.py test`: lint, format, types and tests, in this order, and pytest's own summary as the last line."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from dev.browser import ensure_browser

PROJECT = Path(__file__).resolve().parent.parent
MOST_PROCESSES = 4  # each starts a cloud of its own, of half a gigabyte
CHECKS = {
    "ruff check": ("ruff", "check", "."),
    "ruff format": ("ruff", "format", "--check", "."),
    "mypy --strict": ("mypy",),  # strict, and the files, come from pyproject.toml
}


def main(arguments: Sequence[str]) -> int:
    options, pytest_arguments = _parse(arguments)
    ensure_browser()
    failed = [] if options.tests_only else [name for name in CHECKS if not _passes(name)]
    tests = _run_tests(pytest_arguments, everything=options.all)
    if failed:
        passed = len(CHECKS) - len(failed)
        print(f"checks: {passed} passed, {len(failed)} failed ({', '.join(failed)})", flush=True)
        return 1
    return tests


def _parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog="dev.py test",
        description="ruff, mypy --strict and pytest. Anything else on the line is handed to pytest.",
        allow_abbrev=False,
    )
    parser.add_argument("--all", action="store_true", help="the slow tests too")
    parser.add_argument("--tests-only", action="store_true", help="pytest without ruff and mypy")
    return parser.parse_known_args(arguments)


def _passes(name: str) -> bool:
    started = time.monotonic()
    check = subprocess.run([sys.executable, "-m", *CHECKS[name]], cwd=PROJECT, check=False)
    passed = check.returncode == 0
    verdict = "ok" if passed else "FAILED"
    print(f"{name}: {verdict} ({time.monotonic() - started:.1f} s)", flush=True)
    return passed


def _run_tests(arguments: Sequence[str], *, everything: bool) -> int:
    command = [sys.executable, "-m", "pytest"]
    if not everything:
        command += ["-m", "not slow"]
    if (
        not arguments
    ):  # all of them: half of the time they wait for the clouds that they start, one a process
        command += ["-n", str(min(MOST_PROCESSES, os.cpu_count() or 1)), "--dist", "loadscope"]
    return subprocess.run([*command, *arguments], cwd=PROJECT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
