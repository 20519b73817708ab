"""What a form sends, held against the shapes of the API's bodies: a page accepts nothing that the API refuses."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl

from fastapi import Depends, Request
from pydantic import ValidationError

from api.access import required_etag
from api.ambiguity import check_members
from api.depth import LARGEST_DEPTH, is_too_deep
from api.shapes import Shape
from errors import Invalid

MOST_FIELDS = 1_000
S = TypeVar("S", bound=Shape)


class Form:
    """The fields of one form; a field that came several times is a list."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        self._fields = fields

    def text(self, name: str) -> str:
        """The field's text, '' when it is not there. Raises Invalid when it came twice."""
        found = self.every(name)
        if len(found) > 1:
            raise Invalid(f"Send {name} once.", field=name)
        return found[0].strip() if found else ""

    def etag(self) -> str:
        """The ETag of what the page showed, which a change is about; as strict as If-Match is in the API."""
        return required_etag(self.text("etag"))

    def every(self, name: str) -> list[str]:
        return [value for field, value in self._fields if field == name]

    def number(self, name: str) -> int | None:
        """The field's whole number, None when it is empty: bodies of the API take no text for one. Raises Invalid."""
        text = self.text(name)
        if text and not re.fullmatch(r"[0-9]{1,9}", text):
            raise Invalid(f"{name} must be a whole number.", field=name)
        return int(text) if text else None

    def json(self, name: str) -> Any:
        """The JSON in a text area, held to what a body of the API is held to. Raises Invalid."""
        body = self.text(name).encode("utf-8", "surrogatepass")
        if is_too_deep(body):
            raise Invalid(f"{name} is nested deeper than {LARGEST_DEPTH} levels.", field=name)
        check_members(body)
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            raise Invalid(f"The {name} is not JSON.", field=name) from error

    def lines(self, name: str) -> list[str]:
        """One entry a line of a text area."""
        return [line.strip() for line in self.text(name).splitlines() if line.strip()]


async def form_of(request: Request) -> Form:
    """Raises Invalid for anything but a plain form."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise Invalid("Send a form.", field="body")
    try:
        text = (await request.body()).decode("utf-8")
        fields = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise Invalid("This form cannot be read.", field="body") from error
    return Form(fields)


TheForm = Annotated[Form, Depends(form_of)]


def read(shape: type[S], **values: object) -> S:
    """A body of the API made of a form's fields; empty ones are left out. Raises Invalid, naming the field."""
    given = {name: _written(value) for name, value in values.items() if value not in (None, "")}
    try:
        return shape.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False, include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "form"
        said = f"Fill in {field}." if first["type"] == "missing" else f"{field}: {first['msg']}"
        raise Invalid(said, field=field) from None


def _written(value: object) -> object:
    """Times as bodies have them, everything else as it is."""
    return f"{value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else value
