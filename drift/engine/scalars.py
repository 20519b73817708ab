"""One spelling for every scalar: ids, types, locations, instants, URLs and numbers that mean the same are the same.

A string's letter case is kept unless the string is an id, a resource type, a location or, by a fact, an enum.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

# An ARM id wherever it stands; a path such as "/health" is not one. Ids are compared without letter case
# (ARM's own rule) and may come with a trailing slash.
_ID_ROOTS = ("/subscriptions/", "/providers/", "/tenants/")
_TYPE = re.compile(r"microsoft\.[a-z.]+/[\w./-]+", re.IGNORECASE | re.ASCII)
_INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.\d+)?\s?(Z|[+-]\d\d:?\d\d)?",
    re.IGNORECASE | re.ASCII,
)
_OTHER_DATES = re.compile(
    r"(?:(?:mon|tue|wed|thu|fri|sat|sun), \d\d [a-z]{3} \d{4} \d\d:\d\d:\d\d gmt"  # RFC 1123
    r"|\d{1,2}/\d{1,2}/\d{4} \d{1,2}:\d\d:\d\d( [ap]m)?( [+-]\d\d:\d\d)?"
    r"|\d{4}-\d\d-\d\d)",
    re.IGNORECASE | re.ASCII,
)
_ROOT_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#]+/", re.IGNORECASE | re.ASCII)
_NOT_IN_REGIONS = str.maketrans("", "", " ()")
SHORT = 19  # below this length a string can be no instant, no id and no URL worth folding
_ZERO_OFFSETS = ("", "Z", "+00:00", "-00:00", "+0000", "-0000")


def fold_text(value: str) -> str:
    """The canonical spelling of a string of at least SHORT characters that no fact speaks about."""
    if value[4] == "-" and value[10] in "Tt " and (match := _INSTANT.fullmatch(value)):
        return _fold_instant(match)
    if value[-1] == "/" and _ROOT_URL.fullmatch(value):
        return value[:-1]
    return value


def fold_id(value: str) -> str:
    """An ARM id in lower case without the trailing slash; any other path as it is."""
    folded = value.lower()
    return folded.rstrip("/") if folded.startswith(_ID_ROOTS) else value


def fold_type(value: str) -> str:
    """`Microsoft.Network/virtualNetworks` in lower case; a `type` that is no resource type as it is."""
    if "/" in value and _TYPE.fullmatch(value):
        return value.lower()
    return value


def fold_location(value: str) -> str:
    """`West Europe` and `westeurope` are one region, as are `North Central US (Stage)` and `northcentralusstage`."""
    return value.translate(_NOT_IN_REGIONS).lower()


def fold_number(value: float) -> int | float | str:
    """1.0 is 1: JSON has one kind of number and providers write both. What JSON cannot hold becomes its name."""
    if not math.isfinite(value):
        return str(value)
    return int(value) if value.is_integer() else value


def read_number(text: str) -> int | float | str:
    """A JSON number with a point or an exponent."""
    return fold_number(float(text))


def is_date(value: object) -> bool:
    """Whether a string is a point in time, in one of the forms that Azure writes."""
    if type(value) is not str or not 8 <= len(value) <= 40:
        return False
    return bool(_INSTANT.fullmatch(value) or _OTHER_DATES.fullmatch(value))


def _fold_instant(match: re.Match[str]) -> str:
    """UTC, to the second: one instant comes with none to nine decimals, with `Z`, `+00:00` or no zone at all."""
    day, time, zone = match[1], match[2], (match[3] or "").upper()
    if zone in _ZERO_OFFSETS:
        return f"{day}T{time}Z"
    try:
        moment = datetime.fromisoformat(f"{day}T{time}{zone}").astimezone(UTC)
    except (
        ValueError,
        OverflowError,
    ):  # the 31st of February, or an offset that leaves the calendar
        return match[0]
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
