"""What Kusto's operators and functions do with values."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from datetime import datetime, timedelta

from dev.azure.kql.values import Value, equals, has_term, less, to_datetime, to_number, to_text


def hash_of(value: Value, modulus: Value = None) -> Value:
    """Azure's hash is xxhash64; only that it is stable and spreads evenly is promised."""
    number = zlib.crc32(to_text(value).encode())
    divisor = to_number(modulus)
    return number % int(divisor) if divisor else number


def _not(value: Value) -> Value:
    return None if value is None else value is not True


def _contains(left: Value, right: Value) -> bool:
    return to_text(right).lower() in to_text(left).lower()


def _starts(left: Value, right: Value) -> bool:
    return to_text(left).lower().startswith(to_text(right).lower())


def _ends(left: Value, right: Value) -> bool:
    return to_text(left).lower().endswith(to_text(right).lower())


def _has(left: Value, right: Value) -> bool:
    return has_term(to_text(left), to_text(right))


def _differs(left: Value, right: Value, *, fold: bool) -> bool:
    """Null differs from every value, and is not known to differ from null."""
    return not (left is None and right is None) and not equals(left, right, fold=fold)


COMPARISONS: dict[str, Callable[[Value, Value], Value]] = {
    "==": lambda a, b: equals(a, b, fold=False),
    "!=": lambda a, b: _differs(a, b, fold=False),
    "=~": lambda a, b: equals(a, b, fold=True),
    "!~": lambda a, b: _differs(a, b, fold=True),
    "<": less,
    ">": lambda a, b: less(b, a),
    "<=": lambda a, b: less(a, b) or equals(a, b, fold=False),
    ">=": lambda a, b: less(b, a) or equals(a, b, fold=False),
    "has": _has,
    "!has": lambda a, b: not _has(a, b),
    "contains": _contains,
    "!contains": lambda a, b: not _contains(a, b),
    "contains_cs": lambda a, b: to_text(b) in to_text(a),
    "startswith": _starts,
    "!startswith": lambda a, b: not _starts(a, b),
    "endswith": _ends,
    "!endswith": lambda a, b: not _ends(a, b),
}


def _plus(left: Value, right: Value) -> Value:
    if isinstance(left, datetime) and isinstance(right, timedelta):
        return left + right
    return _numbers(left, right, lambda a, b: a + b)


def _minus(left: Value, right: Value) -> Value:
    if isinstance(left, datetime) and isinstance(right, timedelta):
        return left - right
    if isinstance(left, datetime) and isinstance(right, datetime):
        return left - right
    return _numbers(left, right, lambda a, b: a - b)


def _numbers(
    left: Value, right: Value, operation: Callable[[float, float], float]
) -> int | float | None:
    first, second = to_number(left), to_number(right)
    if first is None or second is None:
        return None
    try:
        return operation(first, second)
    except ZeroDivisionError:
        return None


ARITHMETIC: dict[str, Callable[[Value, Value], Value]] = {
    "+": _plus,
    "-": _minus,
    "*": lambda a, b: _numbers(a, b, lambda x, y: x * y),
    "/": lambda a, b: _numbers(a, b, lambda x, y: x / y),
    "%": lambda a, b: _numbers(a, b, lambda x, y: x % y),
}


def _is_empty(value: Value) -> bool:
    return to_text(value) == ""


def _to_int(value: Value) -> Value:
    number = to_number(value)
    return None if number is None else int(number)


def _coalesce(*values: Value) -> Value:
    return next((value for value in values if value is not None and value != ""), None)


def _length(value: Value) -> Value:
    return len(value) if isinstance(value, list) else None


_MANY = 64
FUNCTIONS: dict[str, tuple[int, int, Callable[..., Value]]] = {
    "tolower": (1, 1, lambda value: to_text(value).lower()),
    "toupper": (1, 1, lambda value: to_text(value).upper()),
    "tostring": (1, 1, to_text),
    "toint": (1, 1, _to_int),
    "tolong": (1, 1, _to_int),
    "tobool": (1, 1, lambda value: to_text(value).lower() == "true"),
    "todatetime": (1, 1, to_datetime),
    "hash": (1, 2, hash_of),
    "not": (1, 1, _not),
    "isempty": (1, 1, _is_empty),
    "isnotempty": (1, 1, lambda value: not _is_empty(value)),
    "isnull": (1, 1, lambda value: value is None),
    "isnotnull": (1, 1, lambda value: value is not None),
    "strcat": (1, _MANY, lambda *values: "".join(map(to_text, values))),
    "strlen": (1, 1, lambda value: len(to_text(value))),
    "coalesce": (2, _MANY, _coalesce),
    "array_length": (1, 1, _length),
}
