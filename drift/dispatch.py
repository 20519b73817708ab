"""Which parts of a scan wait in the queue: a few at a time, and each that ends sends the next.

All tenants share one queue, and it is served in order. A tenant of a thousand subscriptions must not stand in it a
thousand times: whoever comes later waits behind MOST_WAITING messages of it, not behind its whole scan.
"""

from __future__ import annotations

from collections.abc import Sequence

from drift.scans import Part, ScanStatus
from tenancy.access import TenantContext
from tenancy.ids import SubscriptionId
from tenancy.queues import Queue

# Messages of one scan. More would not be read sooner: what one part asks of Resource Graph, page after page, is nearly
# all that Azure answers an identity in that time.
MOST_WAITING = 2


async def send_first(context: TenantContext, scan_id: str, parts: Sequence[Part]) -> None:
    """Sends the first parts of a scan."""
    for part in parts[:MOST_WAITING]:
        await send_part(context, scan_id, part.subscription_id)


async def send_next(
    context: TenantContext, scan_id: str, parts: Sequence[Part], ended: SubscriptionId
) -> None:
    """Sends the part whose turn it is when this one has ended. Repeating it sends a message that finds nothing to do.

    `parts` are all of the scan, in the order of their rows: the same for everybody who counts.
    """
    places = {part.subscription_id: place for place, part in enumerate(parts)}
    following = places[ended] + MOST_WAITING
    if following < len(parts) and parts[following].status is ScanStatus.QUEUED:
        await send_part(context, scan_id, parts[following].subscription_id)


async def send_part(
    context: TenantContext, scan_id: str, subscription_id: SubscriptionId, *, delay: int = 0
) -> None:
    """Sends one part, to be read after `delay` seconds."""
    body: dict[str, str | int] = {
        "version": 1,
        "scan_id": scan_id,
        "subscription_id": subscription_id,
    }
    await context.send(Queue.SCAN_SUBSCRIPTION, body, delay=delay)
