"""Row keys that sort as people read: newest first.

Table Storage only sorts upwards, so time is subtracted from the end.
"""

from __future__ import annotations

from datetime import UTC, datetime

_END = 10**16  # microseconds since 1970 that the product can count: until the year 2286
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def newest_first(moment: datetime) -> str:
    """16 digits that get smaller as time goes on."""
    elapsed = moment - _EPOCH
    microseconds = (elapsed.days * 86_400 + elapsed.seconds) * 1_000_000 + elapsed.microseconds
    return f"{_END - microseconds:016d}"
