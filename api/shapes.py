"""What all HTTP bodies have in common: camelCase outside, unknown fields refused, times in UTC."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Path
from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic.json_schema import SkipJsonSchema

from drift.engine.findings import MAX_REASON

GUID_PATTERN = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

Guid = Annotated[
    str, Field(pattern=GUID_PATTERN, examples=["1b4e28ba-2fa1-4d21-883f-0016d3cca427"])
]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Reason = Annotated[str, Field(min_length=1, max_length=MAX_REASON)]
RowKey = Annotated[str, Field(pattern=r"^[0-9a-z.-]{1,120}$")]
Key = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]  # a resource's


def _written_out(value: Any) -> Any:
    if not isinstance(value, str) or not re.match(r"\d{4}-\d\d-\d\dT", value, re.ASCII):
        raise ValueError("a time is written like 2026-11-23T10:15:00Z")
    return value


# pydantic would also take a number, as seconds or milliseconds since 1970, whichever it thinks likelier.
Moment = Annotated[AwareDatetime, BeforeValidator(_written_out)]


def _day(value: Any) -> Any:
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value, re.ASCII):
        return value
    raise ValueError("a day is written like 2026-11-23")


Date = Annotated[date, BeforeValidator(_day)]


class Shape(BaseModel):
    """A request body. A field that is not in the contract is an error: it would be lost silently."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", str_strip_whitespace=True
    )


class View(BaseModel):
    """An answer."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, from_attributes=True, frozen=True
    )


def no_default(schema: dict[str, Any]) -> None:
    """It is left out rather than null."""
    schema.pop("default", None)


T = TypeVar("T")


class ListOf(View, Generic[T]):
    """One page. `nextLink` is missing on the last one."""

    value: list[T]
    next_link: str | SkipJsonSchema[None] = Field(
        default=None, exclude_if=lambda link: link is None, json_schema_extra=no_default
    )
