"""The tree a query is parsed into."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from dev.azure.document import Json


class QueryError(Exception):
    """The query is refused; `detail` is the second entry of the answer's `details`."""

    def __init__(self, code: str, message: str, **detail: Json) -> None:
        super().__init__(f"{code}: {message}")
        self.detail: dict[str, Json] = {"code": code, "message": message, **detail}


@dataclass(frozen=True, slots=True)
class Literal:
    value: Json | timedelta


@dataclass(frozen=True, slots=True)
class Column:
    name: str


@dataclass(frozen=True, slots=True)
class Member:
    of: Expression
    key: str | int


@dataclass(frozen=True, slots=True)
class Call:
    name: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Binary:
    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Membership:
    """`in`, `!in`, `in~`, `!in~`, `has_any`."""

    operator: str
    left: Expression
    items: tuple[Expression, ...]


Expression: TypeAlias = "Literal | Column | Member | Call | Binary | Membership"


@dataclass(frozen=True, slots=True)
class Named:
    name: str
    expression: Expression


@dataclass(frozen=True, slots=True)
class Where:
    condition: Expression


@dataclass(frozen=True, slots=True)
class Project:
    columns: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Extend:
    columns: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Order:
    keys: tuple[tuple[Expression, bool], ...]
    """Expression and whether it descends, which is Kusto's default."""


@dataclass(frozen=True, slots=True)
class Summarize:
    aggregates: tuple[Named, ...]
    groups: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Distinct:
    columns: tuple[Named, ...]


@dataclass(frozen=True, slots=True)
class Count:
    pass


@dataclass(frozen=True, slots=True)
class Take:
    rows: int


Operator: TypeAlias = "Where | Project | Extend | Order | Summarize | Distinct | Count | Take"


@dataclass(frozen=True, slots=True)
class Query:
    table: str
    operators: tuple[Operator, ...]
