"""Documents for the engine's tests: small, of one type, as many as wanted."""

from __future__ import annotations

from typing import Any

import msgspec

from drift.engine.canonical import canonicalise
from drift.engine.model import Document

KEY = b"k" * 32
SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000001"


def vnet(number: int, **properties: Any) -> dict[str, Any]:
    name = f"vnet-{number}"
    return {
        "id": f"{SUBSCRIPTION}/resourceGroups/net/providers/Microsoft.Network/virtualNetworks/{name}",
        "name": name,
        "type": "Microsoft.Network/virtualNetworks",
        "location": "westeurope",
        "etag": "1",
        "properties": {
            "addressSpace": {"addressPrefixes": [f"10.{number % 256}.0.0/16"]},
            **properties,
        },
    }


def document(number: int, **properties: Any) -> Document:
    return canonicalise(vnet(number, **properties), secret_key=KEY)


def raw(value: Any) -> bytes:
    return msgspec.json.encode(value)
