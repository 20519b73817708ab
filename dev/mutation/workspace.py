"""The folder that mutmut works in: links to the project, and a pyproject.toml that says what to mutate and how.

mutmut copies it into `mutants/`, puts the mutated modules there and runs the tests against the copy.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from dev.mutation.modules import PROJECT

WORKSPACE = PROJECT / ".mutation"
PACKAGES = ("tenancy", "api")  # those with mutated modules
COPIED = (
    "dev",
    "drift",
    "settings.py",
    "errors.py",
    "telemetry.py",
    "function_app.py",
    "host.json",
)
# mypy is half of `dev.py test`: what it refuses never gets as far as the tests. Two of its rules are about how mutmut
# writes mutants down: `unused-ignore` about its comments, `no-redef` about the attributes of many copies of __init__.
NOT_OF_MUTANTS = ("--disable-error-code", "unused-ignore", "--disable-error-code", "no-redef")
TYPE_CHECK = ("-m", "mypy", "--output", "json", *NOT_OF_MUTANTS)


def prepare_workspace(module: str, tests: list[str], workspace: Path = WORKSPACE) -> None:
    """Ready for `mutmut run`; nothing of an earlier run counts, for its tests may have been others."""
    workspace.mkdir(exist_ok=True)
    shutil.rmtree(workspace / "mutants", ignore_errors=True)
    for name in (*PACKAGES, *COPIED, "tests"):
        link = workspace / name
        if not link.is_symlink():
            link.symlink_to(PROJECT / name)
    own = (PROJECT / "pyproject.toml").read_text(encoding="utf-8")
    text = f"{own}\n[tool.mutmut]\n{_settings(module, tests)}"
    (workspace / "pyproject.toml").write_text(text, encoding="utf-8")


def type_check(module: str) -> list[str]:
    """The command that finds the mutants which mypy refuses, inside mutmut's copy."""
    return [sys.executable, *TYPE_CHECK, "--cache-dir", "../types", module]


def _settings(module: str, tests: list[str]) -> str:
    settings = {
        "source_paths": list(PACKAGES),
        "only_mutate": [module],
        "also_copy": list(COPIED),
        "pytest_add_cli_args_test_selection": tests,
        "pytest_add_cli_args": ["-p", "no:cacheprovider", "-p", "no:xdist"],
        "type_check_command": type_check(module),
        # Every mutant starts from a process that has imported the tests and run none: no loop, thread or connection
        # of an earlier test is inherited.
        "process_isolation": "forkserver",
        "use_git_change_detection": False,
        # Seconds of a mutant: (its tests unmutated + constant) * multiplier. Enough for a busy machine; loops end.
        "timeout_constant": 4.0,
        "timeout_multiplier": 5.0,
    }
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
