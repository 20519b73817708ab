"""mypy's word about mutants counts only where it has none against the unchanged function."""

from __future__ import annotations

import json

import pytest

from dev.mutation.originals import find_faults

SOURCE = """\
TABLE = {}

def allows(role):
    return role

async def x_allows__mutmut_orig(role):
    return role

async def x_allows__mutmut_1(role):
    return None
"""


def error(line: int, severity: str = "error") -> str:
    return json.dumps({"file": "x.py", "line": line, "message": "wrong", "severity": severity})


def test_error_in_a_mutant_is_the_mutants() -> None:
    assert find_faults(f"\n{error(9)}\n{error(10)}\n", SOURCE) == []
    assert find_faults(error(7, "note"), SOURCE) == []


@pytest.mark.parametrize("line", [1, 4, 7])
def test_error_anywhere_else_is_a_fault(line: int) -> None:
    assert find_faults(error(line), SOURCE) == [f"line {line}: wrong"]
