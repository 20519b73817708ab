"""The two sides of a finding in full: the resource as agreed and as it is now. Two indexes and two packs are read."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from drift.archive import find_configuration, load_documents, load_snapshot
from drift.baseline_documents import load_baseline
from drift.baselines import get_baseline
from drift.engine.findings import Finding
from drift.engine.model import Document, Json
from errors import NotFound
from tenancy.access import TenantContext
from tenancy.ids import SubscriptionId


@dataclass(frozen=True, slots=True)
class Sides:
    """None is a side on which the resource does not exist."""

    before: Json
    after: Json
    missing: str = ""  # why a side could not be read, in words for people


async def load_sides(context: TenantContext, finding: Finding) -> Sides:
    try:
        baseline = await get_baseline(context.store, finding.baseline_id)
        before = await load_documents(
            context.store, await load_baseline(context, baseline), [finding.key]
        )
    except NotFound:
        return Sides(None, None, "The baseline that this finding was held against was deleted.")
    subscription_id = SubscriptionId(finding.subscription_id)
    configuration = await find_configuration(context.store, subscription_id)
    if configuration is None:
        return Sides(None, None, "No complete state of this subscription is stored.")
    index = await load_snapshot(context.store, configuration.snapshot_id)
    after = await load_documents(context.store, index, [finding.key])
    return Sides(_body(before.get(finding.key)), _body(after.get(finding.key)))


def _body(document: Document | None) -> Json:
    if document is None:
        return None
    body: Json = msgspec.json.decode(document.body)
    return body
