from __future__ import annotations

import pytest

from drift.engine.conditions import (
    Among,
    Condition,
    Direction,
    Grown,
    Less,
    Lowered,
    Outside,
    Ports,
    Shrunk,
    Touched,
    Wide,
    fold,
    reaches,
)
from drift.engine.model import Json

OPENED, CLOSED = Direction.OPENED, Direction.CLOSED
TLS = Lowered(order=("1.3|tls1_3", "1.2|tls1_2", "1.0|tls1_0"))


@pytest.mark.parametrize(
    ("condition", "before", "after", "expected"),
    [
        (Among(values=(True,)), [False], [True], OPENED),
        (Among(values=(True,)), ["true"], [False], CLOSED),
        (Among(values=(True,)), [True], ["True"], None),
        (Among(values=("allow", None)), ["Deny"], [None], OPENED),
        (Among(values=("allow", None)), ["Allow"], [None], None),
        (Among(values=("allow", None)), ["Deny"], [], None),
        (Among(values=("*",)), [["a"]], [["a", "*"]], OPENED),
        (Among(values=("*",)), ["a"], ["abc"], None),
        (Outside(values=("deny",)), ["Deny"], [], OPENED),
        (Outside(values=(None,)), [None], ["/pip/a"], OPENED),
        (Outside(values=(None,)), ["/pip/a"], [], CLOSED),
        (TLS, ["TLS1_2"], ["TLS1_0"], OPENED),
        (TLS, ["1.2"], ["1.3"], CLOSED),
        (TLS, ["1.2"], ["TLS1_2"], None),
        (TLS, [None], ["1.0"], None),
        (TLS, ["1.2"], ["next"], None),
        (Lowered(order=("deny", "off"), missing="off"), ["Deny"], [None], OPENED),
        (Less(), [30], [7], OPENED),
        (Less(), ["7"], [30], CLOSED),
        (Less(), [30], [None], None),
        (Less(missing=90), [None], [7], OPENED),
        (Less(endless=0), [0], [30], OPENED),
        (Less(endless=0), [30], [0], CLOSED),
        (Grown(), [["a"]], [["a", "b"]], OPENED),
        (Grown(), [["a"]], [["b"]], OPENED),
        (Grown(), [["a", "b"]], [["a"]], CLOSED),
        (Grown(), [[]], [{}], None),
        (Shrunk(), [["a", "b"]], [["a"]], OPENED),
        (Shrunk(), [["a"]], [["a", "b"]], CLOSED),
        (Touched(), ["a"], ["b"], OPENED),
        (Touched(), ["a"], ["A"], None),
        (Wide(bits=8), ["20.1.0.0/16"], ["20.0.0.0/8"], OPENED),
        (Wide(bits=8), ["20.1.0.0/16"], ["10.0.0.0/8"], None),
        (Wide(bits=8), ["::/0"], ["VirtualNetwork"], CLOSED),
        (Ports(ports=(22,)), ["80"], ["20-30"], OPENED),
    ],
)
def test_condition_tells_the_direction(
    condition: Condition, before: list[Json], after: list[Json], expected: Direction | None
) -> None:
    assert condition.direction(before, after) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("22", True),
        ("*", True),
        ("20-25", True),
        ("80,22", True),
        ("23-80", False),
        ("", False),
        ("a-b", False),
    ],
)
def test_port_text_reaches_a_port(text: str, expected: bool) -> None:
    assert reaches(text, (22,)) is expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ([], ""),
        ({}, ""),
        (True, "true"),
        (1, "1"),
        (" A ", "a"),
        ({"B": 1, "a": 2}, '{"b":1,"a":2}'),
    ],
)
def test_values_are_folded_to_text(value: Json, text: str) -> None:
    assert fold(value) == text
