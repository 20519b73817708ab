"""Identifiers and how they are read. A GUID has exactly one accepted spelling, so that one id is one key everywhere."""

from __future__ import annotations

import re
from typing import NewType

from errors import Invalid

TenantId = NewType("TenantId", str)
DirectoryId = NewType("DirectoryId", str)
ObjectId = NewType("ObjectId", str)
SubscriptionId = NewType("SubscriptionId", str)

_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)


def read_guid(value: str, *, field: str) -> str:
    """Lower-case hexadecimal with dashes, or Invalid. uuid.UUID also takes braces, urn: and foreign digits."""
    if not _GUID.fullmatch(value):
        raise Invalid(
            f"{field} must be a GUID in lower case, like 1b4e28ba-2fa1-11d2-883f-0016d3cca427.",
            field=field,
        )
    return value
