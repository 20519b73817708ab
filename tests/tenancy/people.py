"""Who calls in tests of tenancy, and when."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from tenancy.ids import DirectoryId, ObjectId
from tenancy.principal import Principal

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def someone(directory_id: str = "", *roles: str) -> Principal:
    directory = DirectoryId(directory_id or str(uuid.uuid4()))
    return Principal(directory, ObjectId(str(uuid.uuid4())), "Someone", frozenset(roles), False)
