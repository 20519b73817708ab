"""What Azure changes by itself between two reads: for worlds in which nobody did anything and yet all bytes differ.

Each kind of change here was seen in recorded reads of untouched resources: new etags and bookkeeping times, counters,
keys and unordered arrays in another order, and ids that are spelt in another letter case.
"""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime

from dev.azure.document import Json, JsonObject

_TIMES = frozenset(
    {
        "accessedAt",
        "changedTime",
        "earliestRestoreDate",
        "lastModifiedAt",
        "lastModifiedTime",
        "lastModifiedTimeUtc",
        "modifiedDate",
        "quotaNextResetTime",
        "updatedAt",
        "updatedOn",
    }
)
_COUNTERS = frozenset({"activeMessageCount", "messageCount", "sizeInBytes"})
_UNORDERED = frozenset(
    {
        "accessPolicies",
        "backendAddressPools",
        "frontendIPConfigurations",
        "outboundIpAddresses",
        "probes",
        "securityRules",
        "serviceEndpoints",
        "subnets",
    }
)


def stir(document: JsonObject, dice: random.Random, now: float) -> JsonObject:
    """The same configuration as Azure would show it at another moment."""
    stirred = {name: _stir(name, value, dice, now) for name, value in _shuffled(document, dice)}
    # The resource's own id, name and type are what it is found by: they stay.
    return {
        **stirred,
        **{name: document[name] for name in ("id", "name", "type") if name in document},
    }


def _stir(name: str, value: Json, dice: random.Random, now: float) -> Json:
    if isinstance(value, dict):
        return {key: _stir(key, one, dice, now) for key, one in _shuffled(value, dice)}
    if isinstance(value, list):
        items = [_stir("", one, dice, now) for one in value]
        if name in _UNORDERED:
            dice.shuffle(items)
        return items
    if isinstance(value, str):
        return _stir_text(name, value, dice, now)
    return dice.randint(0, 999) if name in _COUNTERS else value


def _stir_text(name: str, value: str, dice: random.Random, now: float) -> str:
    if name == "etag":
        fresh = str(uuid.UUID(int=dice.getrandbits(128), version=4))
        return f'W/"{fresh}"' if value.startswith("W/") else fresh
    if name in _TIMES:
        moment = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%dT%H:%M:%S.%f}0Z"
        return moment if value.endswith("Z") else moment[: len(value)]
    if name == "id" and "/resourceGroups/" in value and dice.random() < 0.5:
        return value.replace("/resourceGroups/", "/resourcegroups/")
    return value


def _shuffled(value: JsonObject, dice: random.Random) -> list[tuple[str, Json]]:
    members = list(value.items())
    dice.shuffle(members)
    return members
