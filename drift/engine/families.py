"""A child resource that its parent embeds is reported once: as the child, where it is a resource of the inventory too.

A subnet stands in its virtual network and by itself. The parent's change is an echo when the child's own difference
says the very same; what only the parent shows stays with the parent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from drift.engine import pointers
from drift.engine.model import Change, ChangeKind, Difference, ResourceKey, resource_key

# An array of children, or one of its items: ARM calls the array as the last segment of the children's type.
_CHILDREN = re.compile(r"/properties/(?P<kind>\w+)(?:/\[name=(?P<name>[^\],]+)\](?P<rest>/.*|))?")
_WHOLE = frozenset({ChangeKind.ADDED, ChangeKind.REMOVED})


def embedded(difference: Difference) -> frozenset[ResourceKey]:
    """The keys of the children that a parent's changes are about, whether they are resources of their own or not."""
    if difference.kind is not ChangeKind.MODIFIED:
        return frozenset()
    return frozenset(key for change in difference.changes for key in _keys_in(difference, change))


def without_echoes(
    difference: Difference, children: Mapping[ResourceKey, Difference]
) -> Difference | None:
    """The difference of a parent without what its children's own differences say; None when that was all."""
    kept = tuple(
        change for change in difference.changes if not _is_echo(difference, change, children)
    )
    return replace(difference, changes=kept) if kept else None


def _is_echo(
    parent: Difference, change: Change, children: Mapping[ResourceKey, Difference]
) -> bool:
    match = _CHILDREN.fullmatch(change.path)
    keys = _keys_in(parent, change)
    if match is None or not keys or not all(key in children for key in keys):
        return False
    if not match["rest"] and change.kind in _WHOLE:
        return all(children[key].kind is change.kind for key in keys)
    said = ((match["rest"] or "").lower(), change.kind, change.before, change.after)
    return any(
        (own.path.lower(), own.kind, own.before, own.after) == said
        for key in keys
        for own in children[key].changes
    )


def _keys_in(parent: Difference, change: Change) -> list[ResourceKey]:
    match = _CHILDREN.fullmatch(change.path)
    if match is None:
        return []
    names = [pointers.unescape(match["name"])] if match["name"] else _names_in(change)
    above = f"{parent.resource_id.rstrip('/')}/{match['kind']}"
    return [resource_key(f"{above}/{name}") for name in names]


def _names_in(change: Change) -> list[str]:
    """The names of the items of an array that came or went as a whole; none when they do not all have one."""
    value = change.after if change.kind is ChangeKind.ADDED else change.before
    if change.kind not in _WHOLE or not isinstance(value, list):
        return []
    names = [item.get("name") for item in value if isinstance(item, dict)]
    named = [name for name in names if isinstance(name, str) and name]
    return named if len(named) == len(value) else []
