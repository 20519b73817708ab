"""Paths that change in most scans: not a person's drift but a property that moves by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

WINDOW = 10  # scans looked at
LEAST = 5  # scans needed to say "most"; fewer would call a busy afternoon flapping


@dataclass(frozen=True, slots=True)
class Round:
    """What changed of one resource between one scan and the scan before it."""

    at: datetime
    paths: Collection[str]


@dataclass(frozen=True, slots=True)
class Flap:
    path: str
    changed: int  # scans in which it changed
    scans: int  # scans looked at
    since: datetime
    until: datetime

    @property
    def evidence(self) -> str:
        """The reason to give when this is made a rule."""
        return (
            f"Changed in {self.changed} of {self.scans} scans"
            f" from {self.since:%Y-%m-%d %H:%M} to {self.until:%Y-%m-%d %H:%M} UTC."
        )


def flapping(
    history: Sequence[Round], *, window: int = WINDOW, least: int = LEAST
) -> tuple[Flap, ...]:
    """Paths that changed in more than half of the last scans; the history is oldest first, quiet scans included."""
    recent = history[-window:]
    if len(recent) < least:
        return ()
    counts = Counter(path for scan in recent for path in set(scan.paths))
    return tuple(
        Flap(path, count, len(recent), recent[0].at, recent[-1].at)
        for path, count in sorted(counts.items())
        if count * 2 > len(recent)
    )
