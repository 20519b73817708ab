"""How a change names its place: a JSON Pointer (RFC 6901) whose array elements are named by identity.

    /properties/subnets/[name=web]/properties/addressPrefix   an item by the member that identifies it
    /properties/accessPolicies/[objectId=1,tenantId=2]        by several members together
    /properties/addressPrefixes/[=10.0.0.0~116]               a scalar item is its own identity
    /properties/rules/0/match                                 an item of an ordered array without identity
    /properties/items/[name=a][2]                             the second of items with one identity

`~` is written ~0 and `/` ~1 as in RFC 6901, and `]` within an element ~2.
"""

from __future__ import annotations

from collections.abc import Iterable

from drift.engine.model import Json

LONGEST_IDENTITY = 200  # what a person reads; a longer one is cut


def escape(text: str) -> str:
    return text.replace("~", "~0").replace("/", "~1")


def unescape(text: str) -> str:
    """The text of a segment or of an identity within one."""
    return text.replace("~2", "]").replace("~1", "/").replace("~0", "~")


def member(path: str, name: str) -> str:
    return f"{path}/{escape(name)}"


def element(path: str, identity: Iterable[tuple[str, Json]]) -> str:
    """`identity` are the naming members with their values, or one pair ("", value) for a scalar item."""
    label = ",".join(f"{name}={_spell(value)}" for name, value in identity)
    label = escape(label[:LONGEST_IDENTITY]).replace("]", "~2")
    return f"{path}/[{label}]"


def repeat(path: str, number: int) -> str:
    """The path of the `number`-th item that is called alike."""
    return path if number == 1 else f"{path}[{number}]"


def position(path: str, number: int) -> str:
    return f"{path}/{number}"


def _spell(value: Json) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
