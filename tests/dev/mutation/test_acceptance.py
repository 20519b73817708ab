"""The list of mutants that may survive: exact in both directions, and every line with its reason."""

from __future__ import annotations

import ast
import json

import pytest

from dev.mutation.acceptance import LIST, AcceptanceError, compare, read_accepted, write_line
from dev.mutation.modules import PROJECT, all_modules
from dev.mutation.verdicts import Mutant

MODULES = ["tenancy/roles.py", "api/paging.py"]
FIRST = Mutant("tenancy.roles.allows", ("- return a", "+ return None"))
SECOND = Mutant("api.paging.Pager.start", ("- x = 1", "+ x = 2"))
OTHER = Mutant("tenancy.rolesque.allows", ("- x = 1", "+ x = 2"))


def test_survivor_must_be_in_the_list_and_the_list_must_survive() -> None:
    exact = compare([FIRST, SECOND], [SECOND, FIRST], MODULES)
    assert (exact.unexpected, exact.outdated) == ([], [])
    new = compare([FIRST, SECOND], [SECOND], MODULES)
    assert (new.unexpected, new.outdated) == ([FIRST], [])
    noticed = compare([FIRST], [SECOND, FIRST], MODULES)
    assert (noticed.unexpected, noticed.outdated) == ([], [SECOND])


def test_same_change_at_two_places_is_two_lines() -> None:
    assert compare([FIRST, FIRST], [FIRST], MODULES).unexpected == [FIRST]
    assert compare([FIRST], [FIRST, FIRST], MODULES).outdated == [FIRST]
    assert compare([FIRST, FIRST], [FIRST, FIRST], MODULES).outdated == []


def test_lines_about_modules_that_were_not_mutated_say_nothing() -> None:
    assert compare([], [OTHER, SECOND], ["tenancy/roles.py"]).outdated == []


def test_line_is_read_as_it_is_written() -> None:
    line = write_line(FIRST, "equivalent: neither can be told from the other")
    assert read_accepted([line, "", line]) == [FIRST, FIRST]


@pytest.mark.parametrize(
    "line",
    [
        "no json",
        "[]",
        json.dumps({"function": "f", "change": []}),
        write_line(FIRST, ""),
        write_line(FIRST, "equivalent"),
    ],
)
def test_line_without_a_reason_is_refused_with_its_number(line: str) -> None:
    good = write_line(FIRST, "equivalent: neither can be told from the other")
    with pytest.raises(AcceptanceError, match=r"^accepted.jsonl, line 2: "):
        read_accepted([good, line])


def _functions(module: str) -> set[str]:
    name = module.removesuffix(".py").replace("/", ".")
    tree = ast.parse((PROJECT / module).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = {f"{name}.{node.name}" for node in tree.body if isinstance(node, kinds)}
    for owner in tree.body:
        if isinstance(owner, ast.ClassDef):
            methods = (node for node in owner.body if isinstance(node, kinds))
            found |= {f"{name}.{owner.name}.{node.name}" for node in methods}
    return found


def test_list_is_sorted_and_names_functions_and_lines_that_are_there() -> None:
    """What changed under it is seen at once, not only where mutants are run."""
    lines = LIST.read_text(encoding="utf-8").splitlines()
    assert lines == sorted(lines)
    modules = {module.removesuffix(".py").replace("/", "."): module for module in all_modules()}
    known = {function for module in modules.values() for function in _functions(module)}
    for mutant in read_accepted(lines):
        assert mutant.function in known
        (module,) = [
            path for name, path in modules.items() if mutant.function.startswith(name + ".")
        ]
        source = _squeezed((PROJECT / module).read_text(encoding="utf-8"))
        for line in mutant.change:
            if line.startswith("- "):
                assert _squeezed(line[2:]) in source, mutant


def _squeezed(text: str) -> str:
    return "".join(text.split())
