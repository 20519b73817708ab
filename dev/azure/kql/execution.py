"""Operators over rows. Projected values are computed when a page shows them, not before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import msgspec

from dev.azure.document import encode
from dev.azure.kql.evaluation import Evaluator, Getter, type_of
from dev.azure.kql.syntax import (
    Call,
    Column,
    Count,
    Distinct,
    Expression,
    Extend,
    Named,
    Operator,
    Order,
    Project,
    QueryError,
    Summarize,
    Take,
    Where,
)
from dev.azure.kql.values import Value, less, sort_key, to_text


class TableRow(Protocol):
    def value(self, column: str) -> Value: ...

    def members(self, columns: Sequence[str]) -> dict[str, object]:
        """The named columns, ready for msgspec to encode (JSON values or msgspec.Raw)."""
        ...


@dataclass(frozen=True, slots=True)
class Result:
    columns: Mapping[str, str]  # name to type
    rows: Sequence[TableRow]
    limited: bool = False  # by take or limit: such a result has no pages


@dataclass(frozen=True, slots=True)
class ValuesRow:
    values: Mapping[str, Value]

    def value(self, column: str) -> Value:
        return self.values[column]

    def members(self, columns: Sequence[str]) -> dict[str, object]:
        return {name: _plain(self.values[name]) for name in columns}


@dataclass(frozen=True, slots=True)
class ComputedRow:
    source: TableRow
    plan: Plan

    def value(self, column: str) -> Value:
        return self.plan.getters[column](self.source)

    def members(self, columns: Sequence[str]) -> dict[str, object]:
        copied = self.plan.copied
        found = self.source.members([copied[name] for name in columns if name in copied])
        return {
            name: found[copied[name]] if name in copied else _plain(self.value(name))
            for name in columns
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """What project and extend make of a row. `copied` columns can pass through encoded."""

    getters: Mapping[str, Getter]
    copied: Mapping[str, str]
    types: Mapping[str, str]


def execute(
    rows: Iterable[TableRow],
    columns: Mapping[str, str],
    operators: Sequence[Operator],
    now: datetime,
) -> Result:
    result = Result(columns, list(rows) if not isinstance(rows, list) else rows)
    for operator in operators:
        result = _apply(result, operator, now)
    return result


def _apply(result: Result, operator: Operator, now: datetime) -> Result:
    evaluator = Evaluator(result.columns, now)
    if isinstance(operator, Summarize):
        return _summarize(result, operator, evaluator)
    if isinstance(operator, Distinct):
        return _summarize(result, Summarize((), operator.columns), evaluator)
    if isinstance(operator, Count):
        counted = ValuesRow({"Count": len(result.rows)})
        return Result({"Count": "integer"}, [counted], result.limited)
    if isinstance(operator, Project | Extend):
        plan = _plan(result.columns, operator, evaluator)
        return Result(plan.types, [ComputedRow(row, plan) for row in result.rows], result.limited)
    limited = result.limited or isinstance(operator, Take)
    return Result(result.columns, _selected(result.rows, operator, evaluator), limited)


def _selected(
    rows: Sequence[TableRow], operator: Where | Order | Take, evaluator: Evaluator
) -> Sequence[TableRow]:
    if isinstance(operator, Take):
        return rows[: operator.rows]
    if isinstance(operator, Order):
        return _sorted(rows, operator, evaluator)
    test = evaluator.compile(operator.condition)
    return [row for row in rows if test(row) is True]


def _sorted(rows: Sequence[TableRow], order: Order, evaluator: Evaluator) -> list[TableRow]:
    """Stable, so that sorting by the last key first gives the order of all keys."""
    found = list(rows)
    for expression, descends in reversed(order.keys):
        get = evaluator.compile(expression)
        found.sort(key=lambda row, get=get: sort_key(get(row)), reverse=descends)  # type: ignore[misc]
    return found


def _plan(columns: Mapping[str, str], operator: Project | Extend, evaluator: Evaluator) -> Plan:
    getters: dict[str, Getter] = {}
    copied: dict[str, str] = {}
    types: dict[str, str] = {}
    kept = [Named(name, Column(name)) for name in columns] if isinstance(operator, Extend) else []
    for named in [*kept, *operator.columns]:
        getters[named.name] = evaluator.compile(named.expression)
        types[named.name] = type_of(named.expression, columns)
        copied.pop(named.name, None)
        if isinstance(named.expression, Column):
            copied[named.name] = named.expression.name
    return Plan(getters, copied, types)


def _summarize(result: Result, operator: Summarize, evaluator: Evaluator) -> Result:
    keys = [(named.name, evaluator.compile(named.expression)) for named in operator.groups]
    aggregates = [
        (named.name, _aggregate(named.expression, evaluator)) for named in operator.aggregates
    ]
    groups: dict[bytes, tuple[dict[str, Value], list[TableRow]]] = {}
    for row in result.rows:
        values = {name: get(row) for name, get in keys}
        identity = encode([to_text(value) for value in values.values()])
        groups.setdefault(identity, (values, []))[1].append(row)
    if not keys and not groups:
        groups[b""] = ({}, [])
    rows = [
        ValuesRow({**values, **{name: total(members) for name, total in aggregates}})
        for values, members in groups.values()
    ]
    types = {named.name: type_of(named.expression, result.columns) for named in operator.groups}
    return Result({**types, **{name: "integer" for name, _ in aggregates}}, rows, result.limited)


def _aggregate(
    expression: Expression, evaluator: Evaluator
) -> Callable[[Sequence[TableRow]], Value]:
    if not isinstance(expression, Call):
        raise QueryError("InvalidAggregate", "summarize: an aggregate function is expected.")
    arguments = [evaluator.compile(argument) for argument in expression.arguments]
    if expression.name == "count" and not arguments:
        return len
    if len(arguments) != 1 or expression.name not in {"countif", "dcount", "max", "min"}:
        raise QueryError("UnknownFunction", f"Unknown function: '{expression.name}'.")
    get = arguments[0]
    if expression.name == "countif":
        return lambda rows: sum(get(row) is True for row in rows)
    if expression.name == "dcount":
        return lambda rows: len({to_text(get(row)) for row in rows})
    return lambda rows: _extreme([get(row) for row in rows], largest=expression.name == "max")


def _extreme(values: Sequence[Value], *, largest: bool) -> Value:
    found: Value = None
    for value in values:
        if value is None:
            continue
        if found is None or (less(found, value) if largest else less(value, found)):
            found = value
    return found


def _plain(value: Value) -> object:
    return (
        value
        if value is None or isinstance(value, str | dict | list | msgspec.Raw)
        else _scalar(value)
    )


def _scalar(value: Value) -> object:
    return value if isinstance(value, bool | int | float) else to_text(value)
