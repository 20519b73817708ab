"""For how long a tenant keeps what is over. Facts as data: the days of each kind, the fewest, and why.

It never covers what is still in force: findings that are not resolved, configurations, baselines, settings, scans under
way. They stay for as long as they are that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta

from errors import Invalid

MOST_DAYS = 3650  # ten years: longer than any rule that this product was asked to meet


@dataclass(frozen=True, slots=True)
class Retention:
    """Days, by what is kept."""

    scans: int = 180  # half a year of "did it run, and what could it not read"
    findings: int = 730  # resolved ones: two audits a year apart still see what was there
    history: int = 365  # changes and earlier states of resources: a year to look back at
    audit: int = 1096  # three years, as most policies ask of a trail of who did what
    notices: int = 180  # as long as the scans that they are of
    usage: int = 400  # a year and the month in which somebody asks about it

    def cutoff(self, kind: str, now: datetime) -> datetime:
        """What ended before that may go."""
        return now - timedelta(days=getattr(self, kind))


@dataclass(frozen=True, slots=True)
class Floor:
    days: int
    reason: str


FLOORS: Mapping[str, Floor] = {
    "scans": Floor(7, "a week's scans say whether they run when they should"),
    "findings": Floor(30, "a month, so that drift that comes and goes is seen to do so"),
    "history": Floor(30, "Azure itself forgets who changed what after 14 days"),
    "audit": Floor(365, "whoever did something cannot have it forgotten within the year"),
    "notices": Floor(7, "a message about one waits in its queue for up to a week"),
    "usage": Floor(90, "a quarter, so that what was used can still be disputed"),
}


def check_retention(retention: Retention) -> None:
    """Raises Invalid, naming the field."""
    for name, days in asdict(retention).items():
        floor = FLOORS[name]
        if not floor.days <= days <= MOST_DAYS:
            raise Invalid(
                f"retention.{name} must be from {floor.days} to {MOST_DAYS} days: {floor.reason}.",
                field=f"retention.{name}",
            )


KINDS = tuple(field.name for field in fields(Retention))
