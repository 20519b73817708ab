"""What all HTTP bodies have in common: camelCase outside, unknown fields refused, times in UTC."""

from __future__ import annotations

from typing import Annotated, Any, Generic, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)
from pydantic.alias_generators import to_camel

GUID_PATTERN = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"

Guid = Annotated[
    str, Field(pattern=GUID_PATTERN, examples=["1b4e28ba-2fa1-4d21-883f-0016d3cca427"])
]
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Reason = Annotated[str, Field(min_length=1, max_length=2000)]
RowKey = Annotated[str, Field(pattern=r"^[0-9a-z.-]{1,120}$")]


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


T = TypeVar("T")


class ListOf(View, Generic[T]):
    """One page. `nextLink` is missing on the last one."""

    value: list[T]
    next_link: str | None = None

    @model_serializer(mode="wrap")
    def without_empty_link(self, serialise: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = serialise(self)
        return {name: value for name, value in document.items() if value is not None}
