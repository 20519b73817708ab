"""The canonical form of one resource: what of an ARM document is configuration, in one spelling.

Which paths are noise, which arrays are ordered and which values are secret is known to `drift.engine.facts` alone.
What holds for every document is decided here:

- null, a missing member, "", [] and {} are the same and are left out, also as items; false and 0 are values. Only the
  [] of an allow-list stays.
- Arrays are sorted by content unless a fact says that their order is configuration.
- A secret is replaced by its keyed hash, a mask by one mask.

Equal digests mean that nothing changed. Different ones mean that something did, with two exceptions about which
`compare` is silent: a secret that is masked on one side (a read with fewer rights is no drift, but two different
secrets may each be followed by a mask, so no digest equals them all), and members that differ in the letter case of
their names only (the body keeps Azure's spelling, for people and for paths).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from sys import intern
from typing import Any, NamedTuple

from drift.engine.arrays import ENCODER, sort_items
from drift.engine.facts import Fact, fingerprint
from drift.engine.model import Document, Json, resource_key
from drift.engine.plan import Place, plan_for
from drift.engine.redaction import (
    MASK,
    MASK_STARTS,
    hash_secret,
    holds_secret,
    is_mask,
    is_secret_name,
)
from drift.engine.scalars import SHORT, fold_id, fold_number, fold_text, is_date
from errors import Invalid

_FORM = 1  # to be raised with every change of this module's own rules
NORMALISER_VERSION = _FORM << 32 | fingerprint()
"""Part of every digest: another version's digests are never equal, and its snapshots are re-normalised."""

DEEPEST = 128  # Azure's deepest seen is 16; beyond this it is an attack on the stack
_ODD_STARTS = frozenset(MASK_STARTS + "/")
_RESOURCE_GROUP = "microsoft.resources/subscriptions/resourcegroups"
_SUBSCRIPTION = "microsoft.resources/subscriptions"
_ALIASES = {
    "microsoft.resources/resourcegroups": _RESOURCE_GROUP
}  # ARM's name for what Resource Graph spells out
_TYPE = re.compile(r"[\w-]+\.[\w.-]+(/[\w.$ -]+)+")  # a provider's namespace has a dot
_ENVELOPE = frozenset({"id", "name", "type"})


class Reduced(NamedTuple):
    body: bytes  # canonical JSON
    in_order: bool  # whether the order of some array's items counts: what has them in another order is not the same


class _Reading:
    """What holds for one document while it is walked."""

    __slots__ = ("in_order", "secret_key")

    def __init__(self, secret_key: bytes) -> None:
        self.secret_key = secret_key
        self.in_order = False


class Identity(NamedTuple):
    resource_id: str  # as Azure spelled it
    resource_type: str  # lower case


def canonicalise(document: Mapping[str, Json], *, secret_key: bytes) -> Document:
    """The canonical form of an ARM document, which is left as it was.

    Raises Invalid: field `id` or `type` for a document without a usable id or whose id names no type, field
    `document` for one that is nested deeper than DEEPEST.
    """
    identity = identify(document)
    own = {name: _copy(value) for name, value in document.items()}
    body = reduce(own, identity, secret_key).body
    return Document(
        key=resource_key(identity.resource_id),
        resource_id=identity.resource_id,
        resource_type=identity.resource_type,
        body=body,
        digest=digest_of(body),
    )


def identify(document: Mapping[str, Json]) -> Identity:
    """Who the document is about. A missing or odd type is read from the id."""
    given = document.get("id")
    resource_id = given.strip().rstrip("/") if isinstance(given, str) else ""
    if not resource_id:
        raise Invalid("The document has no id.", field="id")
    given = document.get("type")
    resource_type = given.strip(" /").lower() if isinstance(given, str) else ""
    if not _TYPE.fullmatch(resource_type):
        resource_type = _type_in(resource_id)
    if not resource_type:
        raise Invalid("The document has no type and its id names none.", field="type")
    # Of a hundred thousand documents a few hundred types are kept, not one text each.
    return Identity(resource_id, intern(_ALIASES.get(resource_type, resource_type)))


def reduce(document: dict[str, Any], identity: Identity, secret_key: bytes) -> Reduced:
    """The canonical form. The document is taken apart on the way: it must be the caller's own and is of no use after.

    Its numbers are expected as `scalars.fold_number` gives them, its texts as `mend` does.
    """
    name = document.get("name")
    for member in _ENVELOPE:
        document.pop(member, None)
    reading = _Reading(secret_key)
    tree = _walk_object(document, plan_for(identity.resource_type).root, reading, 0)
    tree["id"] = identity.resource_id.lower()
    tree["type"] = identity.resource_type
    if isinstance(name, str) and name:
        tree["name"] = name.lower()
    return Reduced(ENCODER.encode(tree), reading.in_order)


def mend(value: Any) -> Any:
    """The value with `?` for each half of a surrogate pair, which JSON can spell and UTF-8 cannot."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {mend(name): mend(below) for name, below in value.items()}
    return [mend(item) for item in value] if isinstance(value, list) else value


def digest_of(body: bytes, version: int = NORMALISER_VERSION) -> bytes:
    """16 bytes that stand for a canonical body, as this version of the normaliser made it."""
    return hashlib.sha256(b"%d\n%b" % (version, body)).digest()[:16]


def walk(value: Any, place: Place, reading: _Reading, depth: int = 0) -> Any:
    """The canonical form of any value at its place; None when nothing is left of it. Changes dicts in place."""
    if place.special:
        return _walk_special(value, place, reading, depth, {})
    kind = type(value)
    if kind is str:
        return _read_text(value, reading)
    if kind is dict:
        return _walk_object(value, place, reading, depth + 1) or None
    if kind is list:
        return _walk_array(value, place, reading, depth + 1)
    return value


def _walk_object(  # noqa: PLR0912 - unrolled: a call a leaf would double the cost of a scan
    source: dict[str, Any], place: Place, reading: _Reading, depth: int
) -> dict[str, Any]:
    """The hot loop of every scan: a plain leaf costs a lookup and two tests. Changes `source` and returns it."""
    if depth > DEEPEST:
        raise Invalid(f"The document is nested deeper than {DEEPEST}.", field="document")
    members = place.members
    dead = []
    for member in source:  # noqa: PLC0206 - half of the values are never looked at
        try:
            below = members[member]
        except KeyError:
            below = place.resolve(member)
        if below is None:
            dead.append(member)
            continue
        value: Any = source[member]
        kind = type(value)
        if below.special:
            value = _walk_special(value, below, reading, depth, source)
        elif kind is str:
            if 0 < len(value) < SHORT and value[0] not in _ODD_STARTS:
                continue
            value = _read_text(value, reading)
        elif kind is dict:
            if not _walk_object(value, below, reading, depth + 1) and not below.presence:
                dead.append(member)
            continue
        elif kind is list:
            value = _walk_array(value, below, reading, depth + 1)
        elif value is not None:
            continue
        if value is not None:
            source[member] = value
        elif not below.presence or source[member] is None:
            dead.append(member)
    for member in dead:
        del source[member]
    return source


def _walk_array(source: list[Any], place: Place, reading: _Reading, depth: int) -> list[Any] | None:
    item = place.item
    result = []
    for given in source:
        if type(given) is dict and not item.special:
            value: Any = _walk_object(given, item, reading, depth + 1) or None
        else:
            value = walk(given, item, reading, depth)
        if value is not None:
            result.append(value)
    if len(result) > 1:
        if not place.ordered:
            return sort_items(result)
        reading.in_order = True
    return result if result or place.allow_list else None


def _walk_special(
    value: Any, place: Place, reading: _Reading, depth: int, siblings: Mapping[str, Any]
) -> Any:
    """A value about which its place has more to say than that it is compared."""
    kind = type(value)
    if kind is str and place.text_only is not None:
        return place.text_only(value) or None
    if _is_noise(value, place, siblings):
        return None
    if place.pair and _names_secret(siblings):
        return _read_secret(value, reading)
    if kind is dict:
        if place.reference and (reference := _reference_in(value)):
            value = {"id": reference}
        result: Any = _walk_object(value, place, reading, depth + 1) or None
    elif kind is list:
        result = _walk_array(value, place, reading, depth + 1)
    elif place.secret:
        result = _read_secret(value, reading)
    elif kind is str and value:
        result = place.text(value) if place.text else _read_text(value, reading)
    else:
        result = value if kind is not str else None
    if place.default is not None and _is_same(result, place.default):
        return None
    return result


def _is_noise(value: Any, place: Place, siblings: Mapping[str, Any]) -> bool:
    """Whether it depends on the value or on its siblings that the value is none of a person's doing, and is not."""
    return (
        (place.date and is_date(value))
        or (bool(place.band) and _is_in_band(value, siblings, place.band))
        or (place.owner is not None and _is_owned(siblings, place.owner))
    )


def _read_text(value: str, reading: _Reading) -> str | None:
    if not value:
        return None
    first = value[0]
    if first == "/":
        return fold_id(value)
    if first in MASK_STARTS and is_mask(value):
        return MASK
    if len(value) < SHORT:
        return value
    return hash_secret(value, reading.secret_key) if holds_secret(value) else fold_text(value)


def _read_secret(value: Any, reading: _Reading) -> Any:
    """Switches stay readable; texts and numbers become hashes, masks stay masks."""
    if value is None or value == "" or isinstance(value, bool):
        return None if value == "" else value
    text = value if isinstance(value, str) else ENCODER.encode(value).decode()
    return MASK if is_mask(text) else hash_secret(text, reading.secret_key)


def _names_secret(siblings: Mapping[str, Any]) -> bool:
    """Whether {"name": "DB_PASSWORD", "value": …} is about a secret."""
    return any(
        member.lower() == "name" and isinstance(name, str) and is_secret_name(name)
        for member, name in siblings.items()
    )


def _reference_in(value: Mapping[str, Any]) -> str:
    """The id of a reference. With $expand a provider embeds the whole of the other resource beside it."""
    found = (v for member, v in value.items() if member.lower() == "id" and isinstance(v, str))
    return max(found, default="")  # of `id` and `ID` the same, whichever comes first


def _is_in_band(value: Any, siblings: Mapping[str, Any], band: tuple[str, ...]) -> bool:
    """Whether an autoscaler may have chosen the value: it is on, and the value lies within its limits."""
    folded = {member.lower(): limit for member, limit in siblings.items()}
    low, high = folded.get(band[0]), folded.get(band[1])
    if len(band) > 2 and folded.get(band[2]) is not True:
        return False
    limits = (low, value, high)
    return all(type(limit) in (int, float) for limit in limits) and low <= value <= high


def _is_owned(siblings: Mapping[str, Any], fact: Fact) -> bool:
    """Whether the sibling says that Azure wrote the value: the permissions of a built-in role, for one."""
    owners = fact.value if isinstance(fact.value, list) else []
    return any(
        member.lower() in fact.keys and isinstance(owner, str) and owner.lower() in owners
        for member, owner in siblings.items()
    )


def _is_same(one: Any, other: Any) -> bool:
    """Equal as JSON, where true is not 1."""
    return ENCODER.encode(one) == ENCODER.encode(other)


def _copy(value: Any, depth: int = 0) -> Any:
    """The value in dicts and lists of our own, its numbers folded and its texts mended."""
    if depth > DEEPEST:
        raise Invalid(f"The document is nested deeper than {DEEPEST}.", field="document")
    if isinstance(value, Mapping):
        return {mend(str(name)): _copy(below, depth + 1) for name, below in value.items()}
    if isinstance(value, list | tuple):
        return [_copy(item, depth + 1) for item in value]
    return fold_number(value) if isinstance(value, float) else mend(value)


def _type_in(resource_id: str) -> str:
    """The resource type that an id spells out: the last provider's, or a resource group's or subscription's own."""
    parts = [part for part in resource_id.lower().split("/") if part]
    if "providers" in parts:
        last = len(parts) - 1 - parts[::-1].index("providers")
        namespace, *rest = parts[last + 1 :] or [""]
        return "/".join([namespace, *rest[::2]]) if rest else ""
    if parts[:1] == ["subscriptions"]:
        return {2: _SUBSCRIPTION, 4: _RESOURCE_GROUP}.get(len(parts), "")
    return ""
