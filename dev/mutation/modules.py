"""Which modules are mutated, and which tests must notice: those that mirror the module, and no others.

What only a test of something else would notice is found late, far from its cause, and by luck.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]

# A module that is added to tenancy/ is mutated from its first day.
PATTERNS = ("tenancy/*.py", "api/paging.py")


class ModuleError(Exception):
    """The message says which module cannot be mutated, and why."""


def all_modules(project: Path = PROJECT) -> list[str]:
    found = [path for pattern in PATTERNS for path in sorted(project.glob(pattern))]
    return [str(path.relative_to(project)) for path in found if path.name != "__init__.py"]


def choose(names: Sequence[str], project: Path = PROJECT) -> list[str]:
    """The modules of that name, given as a path or as Python imports it. Raises ModuleError."""
    known = all_modules(project)
    chosen = []
    for name in names:
        path = name if name.endswith(".py") else name.replace(".", "/") + ".py"
        if path not in known:
            raise ModuleError(f"{name} is none of the modules that are mutated: {', '.join(known)}")
        chosen.append(path)
    return chosen


def mirrored_tests(module: str, project: Path = PROJECT) -> list[str]:
    """The files of tests that must notice a mutant of the module: test_store.py, and test_store_failures.py. Raises
    ModuleError where there are none."""
    path = Path(module)
    folder = project / "tests" / path.parent
    found = [*folder.glob(f"test_{path.stem}.py"), *folder.glob(f"test_{path.stem}_*.py")]
    if not found:
        raise ModuleError(f"Nothing tests {module}: write tests/{path.parent}/test_{path.name}.")
    return sorted(str(file.relative_to(project)) for file in found)
