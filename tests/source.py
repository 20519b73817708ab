"""The project's own source, for tests that read it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PRODUCT = (
    "function_app.py",
    "settings.py",
    "errors.py",
    "telemetry.py",
    "api",
    "web",
    "drift",
    "tenancy",
)
EVERYTHING = (*PRODUCT, "dev", "dev.py", "infra", "bench", "tests")


def files(*roots: str) -> Iterator[Path]:
    for root in roots:
        path = PROJECT / root
        yield from [path] if path.is_file() else sorted(path.rglob("*.py"))


def module_name(file: Path) -> str:
    parts = file.relative_to(PROJECT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


@cache
def product() -> dict[str, Path]:
    return {module_name(file): file for file in files(*PRODUCT)}


def imported(tree: ast.AST) -> Iterator[str]:
    """Every imported name, in full: `from drift import scan` is drift.scan."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute here"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def aliases(tree: ast.AST) -> Iterator[ast.alias]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from node.names


def name_of(function: ast.expr) -> str:
    """The last part of what is called: store.TenantStore is TenantStore."""
    return ast.unparse(function).rpartition(".")[2]
