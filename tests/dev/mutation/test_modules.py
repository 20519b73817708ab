"""Which modules are mutated: all that keep tenants apart, each with tests of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dev.mutation.modules import ModuleError, all_modules, choose, mirrored_tests

PROJECT = Path(__file__).resolve().parents[3]


def test_every_module_of_tenancy_and_the_continuation_tokens_are_mutated() -> None:
    modules = all_modules()
    assert {"tenancy/access.py", "tenancy/store.py", "api/paging.py"} <= set(modules)
    there = {f"tenancy/{path.name}" for path in (PROJECT / "tenancy").glob("*.py")}
    assert set(modules) == there - {"tenancy/__init__.py"} | {"api/paging.py"}


@pytest.mark.parametrize("module", all_modules())
def test_every_mutated_module_has_tests_that_mirror_it(module: str) -> None:
    assert all((PROJECT / file).is_file() for file in mirrored_tests(module))


def test_new_module_is_mutated_and_asks_for_tests(tmp_path: Path) -> None:
    (tmp_path / "tenancy").mkdir()
    for name in ("__init__.py", "new.py"):
        (tmp_path / "tenancy" / name).touch()
    assert all_modules(tmp_path) == ["tenancy/new.py"]
    with pytest.raises(ModuleError) as untested:
        mirrored_tests("tenancy/new.py", tmp_path)
    assert str(untested.value) == "Nothing tests tenancy/new.py: write tests/tenancy/test_new.py."
    (tmp_path / "tests" / "tenancy").mkdir(parents=True)
    for name in ("test_new.py", "test_new_failures.py", "test_newer.py"):
        (tmp_path / "tests" / "tenancy" / name).touch()
    assert mirrored_tests("tenancy/new.py", tmp_path) == [
        "tests/tenancy/test_new.py",
        "tests/tenancy/test_new_failures.py",
    ]


def test_module_is_named_as_a_path_or_as_python_does() -> None:
    assert choose(["tenancy.roles", "api/paging.py"]) == ["tenancy/roles.py", "api/paging.py"]
    with pytest.raises(
        ModuleError, match=r"^drift/scan.py is none of the modules that are mutated"
    ):
        choose(["drift/scan.py"])


def test_short_run_of_ci_names_modules_that_are_mutated() -> None:
    (line,) = re.findall(r"dev\.py mutate (.+)", (PROJECT / ".ci" / "run").read_text())
    assert len(choose(line.split())) >= 5
