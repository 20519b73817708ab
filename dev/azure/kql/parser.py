"""Tokens to a query: a table, then operators between pipes."""

from __future__ import annotations

from collections.abc import Callable

from dev.azure.kql.expressions import ExpressionParser
from dev.azure.kql.syntax import (
    Call,
    Column,
    Count,
    Distinct,
    Expression,
    Extend,
    Member,
    Named,
    Operator,
    Order,
    Project,
    Query,
    Summarize,
    Take,
    Where,
)

DEFAULT_TABLE = "resources"
_OPERATORS = frozenset(
    {
        "where",
        "project",
        "extend",
        "order",
        "sort",
        "summarize",
        "distinct",
        "count",
        "limit",
        "take",
        "top",
    }
)


def parse(text: str) -> Query:
    """A query may start with an operator: the table is then Resources."""
    return _QueryParser(text).query()


class _QueryParser(ExpressionParser):
    def query(self) -> Query:
        table = DEFAULT_TABLE
        operators: list[Operator] = []
        if self.peek().kind == "name" and self.peek().text.lower() not in _OPERATORS:
            table = self.take_name().lower()
        else:
            operators.extend(self._operator())
        while self.accept("|"):
            operators.extend(self._operator())
        if self.peek().kind != "end":
            raise self.failure("|")
        return Query(table, tuple(operators))

    def _operator(self) -> list[Operator]:
        name = self.take_name().lower()
        readers: dict[str, Callable[[], list[Operator]]] = {
            "where": lambda: [Where(self.expression())],
            "project": lambda: [Project(self._named_list())],
            "extend": lambda: [Extend(self._named_list())],
            "order": self._order,
            "sort": self._order,
            "summarize": self._summarize,
            "distinct": lambda: [Distinct(self._named_list())],
            "count": lambda: [Count()],
            "limit": lambda: [Take(self.take_count())],
            "take": lambda: [Take(self.take_count())],
            "top": self._top,
        }
        read = readers.get(name)
        if read is None or (name == "project" and self.peek().text == "-"):
            raise self.failure("where", before=1)
        return read()

    def _top(self) -> list[Operator]:
        rows = self.take_count()
        return [*self._order(), Take(rows)]

    def _order(self) -> list[Operator]:
        self.expect_name("by")
        keys: list[tuple[Expression, bool]] = []
        while True:
            expression = self.expression()
            descends = not self.accept_name("asc")
            if descends:
                self.accept_name("desc")
            if self.accept_name("nulls") and not self.accept_name("first"):
                self.expect_name("last")
            keys.append((expression, descends))
            if not self.accept(","):
                return [Order(tuple(keys))]

    def _summarize(self) -> list[Operator]:
        aggregates = () if self.peek().text.lower() == "by" else self._named_list()
        groups = self._named_list() if self.accept_name("by") else ()
        return [Summarize(aggregates, groups)]

    def _named_list(self) -> tuple[Named, ...]:
        columns: list[Named] = []
        while True:
            columns.append(self._named(len(columns) + 1))
            if not self.accept(","):
                return tuple(columns)

    def _named(self, number: int) -> Named:
        if self.peek().kind == "name" and self.peek(1).text == "=":
            name = self.take_name()
            self.accept("=")
            return Named(name, self.expression())
        expression = self.expression()
        return Named(default_name(expression, number), expression)


def default_name(expression: Expression, number: int) -> str:
    """Kusto's names for what is not named: a path's parts joined, `count_`, `Column1`."""
    if isinstance(expression, Column):
        return expression.name
    if isinstance(expression, Member):
        return f"{default_name(expression.of, number)}_{expression.key}"
    if isinstance(expression, Call):
        if expression.name in {"tostring", "tolower", "toint", "tolong"}:
            return default_name(expression.arguments[0], number)
        if not expression.arguments:
            return f"{expression.name}_"
        return f"{expression.name}_{default_name(expression.arguments[0], number)}"
    return f"Column{number}"
