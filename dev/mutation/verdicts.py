"""What became of every mutant: read from mutmut's own answer, with the change that the mutant is."""

from __future__ import annotations

import ast
import difflib
import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

# As `mutmut results` writes them: tenancy.roles.x_allows__mutmut_1: survived
_LINE = re.compile(r"\s*(?P<name>[\w.\u01c1]+__mutmut_\d+): (?P<status>[\w ]+)")
_NAME = re.compile(
    r"(?P<module>[\w.]+)\.x(?:_|\u01c1(?P<owner>\w+)\u01c1)(?P<function>\w+)__mutmut_\d+"
)
NOTICED = {"killed", "timeout", "caught by type check"}
UNNOTICED = {"survived", "no tests"}


class VerdictError(Exception):
    """mutmut did not say clearly what became of a mutant."""


@dataclass(frozen=True, slots=True, order=True)
class Mutant:
    """A change of one function, whatever number mutmut gives it."""

    function: str  # tenancy.store.TenantStore.find
    change: tuple[str, ...]  # the lines that differ, with - and +


@dataclass(frozen=True, slots=True)
class Verdicts:
    counts: dict[str, int]  # by mutmut's word
    survivors: list[Mutant]


def read_verdicts(results: str, mutants: Path) -> Verdicts:
    """`results` is what `mutmut results` printed, `mutants` the folder of its mutated copy."""
    counts: dict[str, int] = {}
    survivors: list[Mutant] = []
    sources: dict[str, dict[str, list[str]]] = {}
    for name, status in _lines(results):
        counts[status] = counts.get(status, 0) + 1
        if status in NOTICED:
            continue
        if status not in UNNOTICED:
            raise VerdictError(f"mutmut says of {name}: {status}. Run it again.")
        module = name.rpartition(".")[0]
        if module not in sources:
            path = mutants / (module.replace(".", "/") + ".py")
            sources[module] = _functions(path.read_text(encoding="utf-8"))
        survivors.append(_describe(name, sources[module]))
    return Verdicts(counts, sorted(survivors))


def _lines(results: str) -> Iterator[tuple[str, str]]:
    for line in results.splitlines():
        found = _LINE.fullmatch(line.rstrip())
        if found:
            yield found["name"], found["status"]


def _functions(source: str) -> dict[str, list[str]]:
    """The lines of every function and method by its name in the mutated module, where no two have the same."""
    lines = source.splitlines()
    return {
        node.name: textwrap.dedent("\n".join(lines[node.lineno - 1 : node.end_lineno])).splitlines()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and "__mutmut" in node.name
    }


def _describe(name: str, functions: dict[str, list[str]]) -> Mutant:
    found = _NAME.fullmatch(name)
    if found is None:
        raise VerdictError(f"mutmut names a mutant {name}, which says nothing of its function.")
    own = name.rpartition(".")[2]
    original = own.rpartition("__mutmut_")[0] + "__mutmut_orig"
    before = _rename(functions[original], original, found["function"])
    after = _rename(functions[own], own, found["function"])
    parts = [found["module"], found["owner"], found["function"]]
    return Mutant(".".join(part for part in parts if part), tuple(_changed(before, after)))


def _rename(lines: Iterable[str], mutated: str, function: str) -> list[str]:
    return [line.replace(mutated, function) for line in lines]


def _changed(before: list[str], after: list[str]) -> Iterator[str]:
    for line in list(difflib.unified_diff(before, after, lineterm="", n=0))[2:]:
        if not line.startswith("@@"):
            yield f"{line[0]} {line[1:].strip()}"
