"""How Kusto compares and converts the dynamic values of a row."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

from dev.azure.document import Json, encode

Value: TypeAlias = "Json | datetime | timedelta"

_FRACTION = re.compile(r"(\.\d{6})\d+")


def to_text(value: Value) -> str:
    """tostring(): null is empty, objects are JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"
    if isinstance(value, timedelta):
        return str(value)
    return encode(value).decode()


def to_number(value: Value) -> int | float | None:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return value
    if isinstance(value, str):
        try:
            return float(value) if "." in value else int(value)
        except ValueError:
            return None
    return None


def to_datetime(value: Value) -> datetime | None:
    """Seven decimals and a missing zone are common in Azure; no zone means UTC."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(_FRACTION.sub(r"\1", value.strip()))
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def equals(left: Value, right: Value, *, fold: bool) -> bool:
    """Null equals nothing. Of a text and something else the texts are compared: 'true' == true in a dynamic."""
    if left is None or right is None:
        return False
    if isinstance(left, datetime) or isinstance(right, datetime):
        return to_datetime(left) == to_datetime(right)
    if isinstance(left, str) or isinstance(right, str) or fold:
        one, other = to_text(left), to_text(right)
        return one.lower() == other.lower() if fold else one == other
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def less(left: Value, right: Value) -> bool:
    if isinstance(left, datetime) or isinstance(right, datetime):
        one, other = to_datetime(left), to_datetime(right)
        return one is not None and other is not None and one < other
    if isinstance(left, str) and isinstance(right, str):
        return left < right
    if isinstance(left, timedelta) and isinstance(right, timedelta):
        return left < right
    first, second = to_number(left), to_number(right)
    return first is not None and second is not None and first < second


def has_term(text: str, term: str) -> bool:
    """`has`: the term stands between characters that are neither letters nor digits; case is ignored."""
    pattern = rf"(?<![0-9a-z]){re.escape(term.lower())}(?![0-9a-z])"
    return re.search(pattern, text.lower()) is not None


def sort_key(value: Value) -> tuple[int, float, str]:
    """A total order over mixed values: nulls, then numbers and times, then texts."""
    if value is None:
        return (0, 0.0, "")
    if isinstance(value, bool | int | float):
        return (1, float(value), "")
    if isinstance(value, datetime):
        return (1, value.timestamp(), "")
    if isinstance(value, timedelta):
        return (1, value.total_seconds(), "")
    return (2, 0.0, to_text(value))
