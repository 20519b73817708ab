"""That mypy refuses mutants for what was changed in them, not for how mutmut writes them down.

mutmut keeps the unchanged function beside its mutants, in the same form. An error there would count for every mutant.
"""

from __future__ import annotations

import ast
import json
import subprocess
from pathlib import Path

from dev.mutation.workspace import type_check


class OriginalError(Exception):
    """mypy finds fault with an unchanged function; what it says of the mutants proves nothing."""


def refuse_faulty_originals(module: str, mutants: Path) -> None:
    """Asks mypy again, whose answer is in its cache by now. Raises OriginalError."""
    said = subprocess.run(
        type_check(module), cwd=mutants, capture_output=True, encoding="utf-8", check=False
    )
    source = (mutants / module).read_text(encoding="utf-8")
    for fault in find_faults(said.stdout, source):
        raise OriginalError(f"mypy refuses {module} as it is, inside mutmut's copy: {fault}")


def find_faults(said: str, source: str) -> list[str]:
    """mypy's errors in functions that are no mutant, or in none."""
    mutated = [
        range(node.lineno, (node.end_lineno or node.lineno) + 1)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and "__mutmut_" in node.name
        and not node.name.endswith("__mutmut_orig")
    ]
    found = [json.loads(line) for line in said.splitlines() if line.strip()]
    return [
        f"line {one['line']}: {one['message']}"
        for one in found
        if one["severity"] == "error" and not any(one["line"] in lines for lines in mutated)
    ]
