"""attacks.toml is complete and true: every case has a test that is there, or cannot arise yet."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Set
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.isolation.policy import LINES
from tests.source import PRODUCT, PROJECT, files, parse

ATTACKS = Path(__file__).with_name("attacks.toml")
COUNTS = {"A": 22, "B": 21, "C": 12, "D": 15, "E": 10, "F": 16, "G": 12}
NUMBERS = [
    f"{area}{number:02d}" for area, count in COUNTS.items() for number in range(1, count + 1)
]
MEMBERS = {"what", "tests", "arises_with", "cloud", "checked_by"}
_NUMBER = re.compile(r"(?<=_)([a-g]\d\d)(?=_|$)")

Case = dict[str, Any]


@cache
def read_cases() -> dict[str, Case]:
    return tomllib.loads(ATTACKS.read_text(encoding="utf-8"))


@cache
def every_test() -> frozenset[str]:
    """All tests of the project as file::function, by reading them."""
    return frozenset(
        f"{file.relative_to(PROJECT)}::{node.name}"
        for file in files("tests")
        for node in ast.walk(parse(file))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if node.name.startswith("test_")
    )


def numbers_of(test: str) -> set[str]:
    """The cases that a test's name says it is about."""
    return {number.upper() for number in _NUMBER.findall(test.partition("::")[2])}


def has_come(case: Case, routes: Set[str], modules: Set[str]) -> bool:
    """Whether the product has what the attack needs."""
    arises = case.get("arises_with")
    if arises is None:
        return True
    places = ((arises.get("routes"), routes), (arises.get("modules"), modules))
    return any(
        pattern and re.search(pattern, one, re.IGNORECASE)
        for pattern, found in places
        for one in found
    )


def missing(
    cases: dict[str, Case], tests: Set[str], routes: Set[str], modules: Set[str]
) -> list[str]:
    """Cases that can arise and have no test."""
    proved = {number for test in tests for number in numbers_of(test)}
    return [
        f"{number}: {case['what']}"
        for number, case in cases.items()
        if number not in proved and not case.get("tests") and has_come(case, routes, modules)
    ]


def modules_of_product() -> set[str]:
    return {str(file.relative_to(PROJECT)) for file in files(*PRODUCT)}


def test_there_are_108_and_each_is_there_once() -> None:
    assert len(NUMBERS) == 108
    assert list(read_cases()) == NUMBERS  # TOML itself refuses a table that comes twice


@pytest.mark.parametrize("number", NUMBERS)
def test_case_says_what_it_is_and_names_tests_that_exist(number: str) -> None:
    case = read_cases()[number]
    assert set(case) <= MEMBERS
    assert case["what"]
    assert set(case.get("tests", ())) <= every_test()
    if "arises_with" in case:
        assert set(case["arises_with"]) <= {"what", "routes", "modules"}
        assert len(case["arises_with"]) >= 2, "say by which routes or modules it is to be known"
    if "cloud" in case:
        doctor = any("doctor" in str(file) for file in files("dev"))
        looked_at = any("doctor" in test for test in every_test())
        assert case["checked_by"] == "doctor"
        assert looked_at or not doctor


def test_every_case_that_can_arise_has_a_test() -> None:
    assert missing(read_cases(), every_test(), set(LINES), modules_of_product()) == []


def test_case_needs_a_test_from_the_day_it_can_arise() -> None:
    """The rule itself: a route or a module that brings the attack asks for the test, and its name gives it."""
    case = {"X01": {"what": "x", "arises_with": {"what": "x", "routes": "hook", "modules": "mail"}}}
    assert missing(case, set(), {"GET /api/rules"}, {"drift/scan.py"}) == []
    for routes, modules in (({"POST /api/hooks"}, set()), (set(), {"drift/Mail.py"})):
        assert missing(case, set(), routes, modules) == ["X01: x"]
    assert missing({"B01": {"what": "x"}}, set(), set(), set()) == ["B01: x"]
    assert missing({"B01": {"what": "x"}}, {"tests/a.py::test_a05_b01_x"}, set(), set()) == []
    assert missing({"B01": {"what": "x", "tests": ["t"]}}, set(), set(), set()) == []


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("test_a05_two_tids", {"A05"}),
        ("test_b02_b07_b08_ids", {"B02", "B07", "B08"}),
        ("test_every_claim_a05", {"A05"}),
        ("test_base64", set()),
        ("test_h01_x", set()),
        ("test_a050_x", set()),
    ],
)
def test_number_is_read_from_a_name(name: str, numbers: set[str]) -> None:
    assert numbers_of(f"tests/test_x_c01.py::{name}") == numbers


def test_no_name_has_a_number_that_no_case_has() -> None:
    strange = {
        test for test in every_test() for number in numbers_of(test) if number not in NUMBERS
    }
    assert strange == set()
