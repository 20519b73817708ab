"""The inventory: what a tenant's subscriptions hold now, or held at a time before, as their complete scans saw it.

What no complete scan has read is named as unknown, never left out in silence. A list goes on in the very state that it
began with, also when a scan moves the subscription on meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from drift.archive import find_configuration, find_moment, load_documents, load_pack, load_snapshot
from drift.engine.index import SnapshotIndex
from drift.engine.model import Document, ResourceKey
from drift.preferences import resource_group
from drift.subscriptions import Subscription, subscriptions
from errors import Invalid, NotFound
from tenancy.ids import SubscriptionId
from tenancy.store import TenantStore

MOST_PACKS = (
    24  # read for one page, of some hundred resources each; a page may hold fewer than asked for
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an inventory is narrowed to. Empty members let everything pass."""

    subscription_id: str = ""
    resource_type: str = ""  # lower case
    group: str = ""  # lower case
    text: str = ""  # part of the resource id, lower case
    at: datetime | None = None  # the state at that time instead of the newest

    def covers(self, document: Document) -> bool:
        resource_id = document.resource_id.lower()
        return (
            self.resource_type in {"", document.resource_type}
            and self.group in {"", resource_group(resource_id)}
            and self.text in resource_id
        )


@dataclass(frozen=True, slots=True)
class Listed:
    """One resource of an inventory."""

    subscription_id: SubscriptionId
    read_at: (
        datetime  # by the scan whose state this is; of an earlier state, by the first that saw it
    )
    document: Document


@dataclass(frozen=True, slots=True)
class Inventory:
    """One page: resources by subscription and type."""

    resources: tuple[Listed, ...]
    unknown: tuple[
        SubscriptionId, ...
    ]  # subscriptions passed on this page that no complete scan had read
    cursor: str  # where the next page begins, '' at the end


class _Place(NamedTuple):
    """A position in an inventory, and the state that it is a position of."""

    subscription_id: str = ""
    snapshot_id: str = ""
    pack: int = 0
    offset: int = 0

    def write(self) -> str:
        return ":".join(map(str, self))


class _State(NamedTuple):
    snapshot_id: str
    taken_at: datetime


async def page_inventory(
    store: TenantStore, wanted: Wanted, *, after: str, limit: int
) -> Inventory:
    """Up to `limit` resources. Raises Invalid when the state that the list began with is not kept any more."""
    start = _read_place(after)
    walk = _Walk(store, wanted, limit)
    unknown = []
    async for subscription in subscriptions(store):
        subscription_id = subscription.subscription_id
        if subscription_id < start.subscription_id or not _is_wanted(subscription, wanted):
            continue
        state = await _state_of(store, subscription_id, wanted.at)
        if state is None:
            unknown.append(subscription_id)
            continue
        place = _Place(subscription_id, state.snapshot_id)
        if subscription_id == start.subscription_id:
            place = start
        rest = await walk.take(place, state)
        if rest is not None:
            return Inventory(tuple(walk.found), tuple(unknown), rest.write())
    return Inventory(tuple(walk.found), tuple(unknown), "")


async def find_resource(store: TenantStore, key: ResourceKey, wanted: Wanted) -> Listed:
    """The resource with this key, of the wanted subscription or whichever has it, at the wanted time.

    Raises NotFound.
    """
    async for subscription in subscriptions(store):
        if not _is_wanted(subscription, wanted):
            continue
        state = await _state_of(store, subscription.subscription_id, wanted.at)
        if state is None:
            continue
        index = await load_snapshot(store, state.snapshot_id)
        document = (await load_documents(store, index, [key])).get(key)
        if document is not None:
            return Listed(subscription.subscription_id, state.taken_at, document)
    raise NotFound("There is no such resource in what was read.")


class _Walk:
    """Collects resources until there are enough, or enough packs were read for one answer."""

    def __init__(self, store: TenantStore, wanted: Wanted, limit: int) -> None:
        self._store = store
        self._wanted = wanted
        self._limit = limit
        self._packs_left = MOST_PACKS
        self.found: list[Listed] = []

    async def take(self, place: _Place, state: _State) -> _Place | None:
        """Takes what one subscription has from a place on. Returns where to go on, None when it is done."""
        index = await self._index_of(place)
        subscription_id, offset = SubscriptionId(place.subscription_id), place.offset
        for pack in range(place.pack, len(index.packs)):
            if not _may_hold(index, pack, self._wanted.resource_type):
                continue
            if not self._packs_left or len(self.found) == self._limit:
                return place._replace(pack=pack, offset=offset)
            self._packs_left -= 1
            documents = await load_pack(self._store, index.packs[pack].name)
            for number in range(offset, len(documents)):
                if len(self.found) == self._limit:
                    return place._replace(pack=pack, offset=number)
                if self._wanted.covers(documents[number]):
                    listed = Listed(subscription_id, state.taken_at, documents[number])
                    self.found.append(listed)
            offset = 0
        return None

    async def _index_of(self, place: _Place) -> SnapshotIndex:
        try:
            return await load_snapshot(self._store, place.snapshot_id)
        except NotFound as error:
            raise Invalid(
                "What this list began with is not kept any more. Start again without the token.",
                field="continuationToken",
            ) from error


def _may_hold(index: SnapshotIndex, pack: int, resource_type: str) -> bool:
    """Whether a pack may hold resources of a type: packs are in order of type."""
    if not resource_type:
        return True
    first = index.packs[pack - 1].last_type if pack else ""
    return first <= resource_type <= index.packs[pack].last_type


async def _state_of(
    store: TenantStore, subscription_id: SubscriptionId, at: datetime | None
) -> _State | None:
    if at is None:
        newest = await find_configuration(store, subscription_id)
        return _State(newest.snapshot_id, newest.taken_at) if newest else None
    moment = await find_moment(store, subscription_id, at)
    return _State(moment.snapshot_id, moment.taken_at) if moment else None


def _is_wanted(subscription: Subscription, wanted: Wanted) -> bool:
    return wanted.subscription_id in {"", subscription.subscription_id}


def _read_place(text: str) -> _Place:
    if not text:
        return _Place()
    subscription_id, snapshot_id, pack, offset = text.split(":")
    return _Place(subscription_id, snapshot_id, int(pack), int(offset))
