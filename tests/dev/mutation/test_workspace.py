"""The folder that mutmut works in has all that the tests of a mutated module import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dev.mutation.workspace import COPIED, PACKAGES, prepare_workspace


def test_tests_of_mutated_modules_can_be_imported_there(tmp_path: Path) -> None:
    prepare_workspace("tenancy/roles.py", [], tmp_path)
    loaded = load(tmp_path, "tests.conftest", *(f"tests.{name}.conftest" for name in PACKAGES))
    assert loaded.returncode == 0, loaded.stderr


@pytest.mark.parametrize("name", [name for name in COPIED if name.endswith(".py")])
def test_module_that_is_not_copied_is_missing(tmp_path: Path, name: str) -> None:
    """Or the test above would pass with the project's own modules."""
    prepare_workspace("tenancy/roles.py", [], tmp_path)
    (tmp_path / name).unlink()
    assert "ModuleNotFoundError" in load(tmp_path, name.removesuffix(".py")).stderr


def load(workspace: Path, *modules: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"import {', '.join(modules)}"],
        cwd=workspace,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
