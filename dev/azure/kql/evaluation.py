"""Expressions to functions of a row, checked against the columns there are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias

from dev.azure.kql.functions import ARITHMETIC, COMPARISONS, FUNCTIONS
from dev.azure.kql.syntax import (
    Binary,
    Call,
    Column,
    Expression,
    Literal,
    Member,
    Membership,
    QueryError,
)
from dev.azure.kql.values import Value, equals, has_term, to_text


class Row(Protocol):
    def value(self, column: str) -> Value: ...


Getter: TypeAlias = "Callable[[Row], Value]"


class Evaluator:
    """Compiles the expressions of one operator. `columns` are those that the operator sees."""

    def __init__(self, columns: Mapping[str, str], now: datetime) -> None:
        self._columns = columns
        self._now = now

    def compile(self, expression: Expression) -> Getter:
        if isinstance(expression, Literal):
            value = expression.value
            return lambda _: value
        if isinstance(expression, Column):
            name = self._resolve(expression.name)
            return lambda row: row.value(name)
        if isinstance(expression, Member):
            return _member(self.compile(expression.of), expression.key)
        if isinstance(expression, Membership):
            return self._membership(expression)
        if isinstance(expression, Call):
            return self._call(expression)
        return self._binary(expression)

    def _resolve(self, name: str) -> str:
        if name in self._columns:
            return name
        raise QueryError(
            "FailedToResolveEntity", f"Failed to resolve scalar expression named '{name}'"
        )

    def _binary(self, node: Binary) -> Getter:
        left, right = self.compile(node.left), self.compile(node.right)
        if node.operator in {"and", "or"}:
            if node.operator == "and":
                return lambda row: left(row) is True and right(row) is True
            return lambda row: left(row) is True or right(row) is True
        operation = COMPARISONS.get(node.operator) or ARITHMETIC[node.operator]
        return lambda row: operation(left(row), right(row))

    def _membership(self, node: Membership) -> Getter:
        left = self.compile(node.left)
        items = [self.compile(item) for item in node.items]
        if node.operator.endswith("has_any"):
            wanted = not node.operator.startswith("!")
            return lambda row: (
                any(has_term(to_text(left(row)), to_text(item(row))) for item in items) == wanted
            )
        fold, negated = node.operator.endswith("~"), node.operator.startswith("!")
        if all(isinstance(item, Literal) for item in node.items):
            return _constant_membership(left, node.items, fold=fold, negated=negated)
        return lambda row: any(equals(left(row), item(row), fold=fold) for item in items) != negated

    def _call(self, node: Call) -> Getter:
        arguments = [self.compile(argument) for argument in node.arguments]
        count = len(arguments)
        if node.name in {"now", "ago"}:
            return self._instant(node, arguments)
        known = FUNCTIONS.get(node.name)
        if known is None:
            raise QueryError("UnknownFunction", f"Unknown function: '{node.name}'.")
        least, most, function = known
        if not least <= count <= most:
            raise QueryError(
                "InvalidArguments", f"{node.name}(): function expects {least} argument(s)."
            )
        return lambda row: function(*(argument(row) for argument in arguments))

    def _instant(self, node: Call, arguments: list[Getter]) -> Getter:
        now = self._now
        if node.name == "now" and not arguments:
            return lambda _: now
        if len(arguments) != 1:
            raise QueryError("InvalidArguments", f"{node.name}(): function expects 1 argument(s).")
        offset = arguments[0]

        def shifted(row: Row) -> Value:
            span = offset(row)
            if not isinstance(span, timedelta):
                return None
            return now - span if node.name == "ago" else now + span

        return shifted


def _member(of: Getter, key: str | int) -> Getter:
    if isinstance(key, int):

        def element(row: Row) -> Value:
            value = of(row)
            return (
                value[key] if isinstance(value, list) and -len(value) <= key < len(value) else None
            )

        return element

    def member(row: Row) -> Value:
        value = of(row)
        return value.get(key) if isinstance(value, dict) else None

    return member


def _constant_membership(
    left: Getter, items: tuple[Expression, ...], *, fold: bool, negated: bool
) -> Getter:
    texts = {to_text(item.value) for item in items if isinstance(item, Literal)}
    if fold:
        texts = {text.lower() for text in texts}

    def test(row: Row) -> bool:
        value = left(row)
        text = to_text(value).lower() if fold else to_text(value)
        return (value is not None and text in texts) != negated

    return test


_TYPES = {
    "tolower": "string", "toupper": "string", "tostring": "string", "strcat": "string",
    "toint": "integer", "tolong": "integer", "hash": "integer", "strlen": "integer", "array_length": "integer",
    "todatetime": "datetime", "now": "datetime", "ago": "datetime",
}  # fmt: skip


def type_of(expression: Expression, columns: Mapping[str, str]) -> str:
    """The column type that the `table` result format shows."""
    if isinstance(expression, Column):
        return columns.get(expression.name, "object")
    if isinstance(expression, Call):
        return _TYPES.get(expression.name, "boolean")
    if isinstance(expression, Member):
        return "object"
    if isinstance(expression, Literal):
        return {str: "string", bool: "boolean", int: "integer"}.get(type(expression.value), "real")
    if isinstance(expression, Binary) and expression.operator in ARITHMETIC:
        return "real"
    return "boolean"
