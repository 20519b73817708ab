"""Real ARM documents as the world of the simulated Azure.

The documents were recorded in many places under placeholder subscriptions and names, so that one id may stand for many
resources. Here each gets an id of its own in one of a few subscriptions; nothing else about it is touched.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

DOCUMENTS = Path(__file__).parents[3] / "shared" / "data" / "arm-resources.jsonl.gz"
TYPES = DOCUMENTS.parent / "bicep-types" / "az-types.json.gz"

_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True, slots=True)
class RealDocument:
    resource_id: str
    subscription_id: str
    line: bytes  # as the simulated Azure takes it

    @property
    def parts(self) -> list[str]:
        """The segments of the id behind the subscription's."""
        return self.resource_id.strip().split("/")[3:]


def read_documents(subscriptions: Sequence[str]) -> Iterator[RealDocument]:
    """Every document that lies below a subscription. The same subscriptions give the same world.

    The few that are subscriptions themselves are left out: those of the world are made through the admin.
    """
    taken: set[str] = set()
    with gzip.open(DOCUMENTS) as lines:
        for line in lines:
            members = _MEMBERS.decode(line)
            given = msgspec.json.decode(members["id"], type=str)
            rest = given.split("/")[3:]
            if not rest:
                continue
            subscription, resource_id = _free_id(rest, subscriptions, taken)
            members["id"] = msgspec.Raw(msgspec.json.encode(resource_id))
            yield RealDocument(resource_id, subscription, msgspec.json.encode(members))


def _free_id(rest: list[str], subscriptions: Sequence[str], taken: set[str]) -> tuple[str, str]:
    """An id that no document has yet: in another subscription, else in another resource group or under another name."""
    start = zlib.crc32("/".join(rest).strip().rstrip("/").lower().encode())
    for number in range(10_000):
        subscription = subscriptions[(start + number) % len(subscriptions)]
        resource_id = "/".join(
            ["", "subscriptions", subscription, *_renamed(rest, number // len(subscriptions))]
        )
        key = resource_id.strip().rstrip("/").lower()
        if key not in taken:
            taken.add(key)
            return subscription, resource_id
    raise AssertionError("ten thousand documents of one id")


def _renamed(rest: list[str], number: int) -> list[str]:
    if number == 0:
        return rest
    place = 1 if rest[0].lower() == "resourcegroups" and len(rest) > 1 else len(rest) - 1
    return [*rest[:place], f"{rest[place]}-{number}", *rest[place + 1 :]]
