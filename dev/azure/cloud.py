"""The one state that all services of the simulated Azure share."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from dev.azure.changes import ChangeFeed
from dev.azure.directories import ManagedIdentity, Register
from dev.azure.inventory import Inventory
from dev.azure.quotas import Buckets, WindowQuota
from dev.azure.secrets import Vault
from dev.azure.tokens import TokenAuthority
from dev.azure.traffic import Traffic

HOME_DIRECTORY = "5a3c2f10-6b0e-4d8e-9a51-0f2f6f4f7a01"
"""The directory of the deployment itself; fixed, so that what names it survives a restart."""


def home_identity() -> ManagedIdentity:
    return ManagedIdentity(
        client_id="b7d0a1c4-52e6-4f0f-8c39-6f1d9a40e2aa",
        object_id="0c9f4be2-7d13-43e5-b1a8-3de1c6a0d9bb",
        directory_id=HOME_DIRECTORY,
        header=uuid.uuid4().hex,
    )


@dataclass(slots=True)
class Settings:
    """What the admin may change while the simulation runs."""

    page_size: int = 1000  # items of one page of an ARM list
    empty_pages: int = 1  # empty pages with a nextLink within a chain of several pages
    throttle: bool = False  # ARM's token buckets: answer 429 when empty
    directory_lag: float = 0.0  # seconds until what was made in Microsoft Graph is seen everywhere


@dataclass(slots=True)
class Cloud:
    origin: str
    clock: Callable[[], float]
    register: Register
    tokens: TokenAuthority
    inventory: Inventory
    changes: ChangeFeed
    vault: Vault
    traffic: Traffic
    graph_quota: WindowQuota
    buckets: Buckets
    settings: Settings = field(default_factory=Settings)
    graph_versions: dict[str, str] = field(default_factory=dict)  # see graph_tables.ResourceRow

    @property
    def identity(self) -> ManagedIdentity:
        return self.register.identity


def build_cloud(origin: str, *, quota: int, clock: Callable[[], float] = time.time) -> Cloud:
    identity = home_identity()
    return Cloud(
        origin=origin,
        clock=clock,
        register=Register(identity),
        tokens=TokenAuthority(origin, clock),
        inventory=Inventory(clock),
        changes=ChangeFeed(clock),
        vault=Vault(origin, clock, allowed={identity.object_id}),
        traffic=Traffic(),
        graph_quota=WindowQuota(quota, 5.0, clock),
        buckets=Buckets(clock),
    )
