"""What the platform operator allows a tenant, and what is said when it is used up. None is no limit.

A quota refuses something new and says so; it never leaves something out. What there is already stays.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta

from errors import OverDailyQuota, OverQuota


@dataclass(frozen=True, slots=True)
class Quotas:
    resources: int | None = None  # in all subscriptions that are watched
    scans_a_day: int | None = None  # from midnight to midnight, UTC
    stored_bytes: int | None = None

    def values(self) -> dict[str, int | None]:
        """As columns of the tenant's record."""
        return {f"quota_{one.name}": getattr(self, one.name) for one in fields(self)}


UNLIMITED = Quotas()


def tomorrow(now: datetime) -> datetime:
    """When a day's count begins anew."""
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(1)


def check_scans(quotas: Quotas, today: int, *, now: datetime) -> None:
    """Raises OverDailyQuota when as many scans were started today as may be."""
    if quotas.scans_a_day is not None and today >= quotas.scans_a_day:
        raise OverDailyQuota(
            f"This tenant's quota of {quotas.scans_a_day} scans a day is used up. The next one can be started after "
            "midnight UTC, or ask the platform operator for a larger quota.",
            retry_after=(tomorrow(now) - now).total_seconds(),
        )


def check_stored(quotas: Quotas, stored: int, more: int = 0) -> None:
    """Raises OverQuota when so many bytes and `more` are over what may be stored."""
    if quotas.stored_bytes is not None and stored + more > quotas.stored_bytes:
        raise OverQuota(
            f"This tenant stores {stored:,} bytes and may store {quotas.stored_bytes:,}: nothing was added. Delete "
            "baselines that nobody needs, or ask the platform operator for a larger quota."
        )


def check_resources(quotas: Quotas, here: int, elsewhere: int = 0) -> None:
    """Raises OverQuota when a subscription's resources and those of the others are over what may be watched."""
    if quotas.resources is not None and here + elsewhere > quotas.resources:
        raise OverQuota(
            f"There are {here:,} resources here and {elsewhere:,} in this tenant's other subscriptions; its quota is "
            f"{quotas.resources:,}. Stop watching a subscription, or ask the platform operator for a larger quota."
        )
