"""The order of an array whose order means nothing: by content, so that the digest knows nothing of the one it had."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import msgspec

ENCODER = msgspec.json.Encoder(order="sorted")
_name_of = itemgetter("name")


def sort_items(items: list[Any]) -> list[Any]:
    """The items in an order that depends on nothing but their content."""
    kinds = set(map(type, items))
    if kinds == {str}:
        return sorted(items)
    if kinds == {dict} and (named := _sort_by_name(items)):
        return named
    return sorted(items, key=ENCODER.encode)


def _sort_by_name(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Named items by name, much cheaper than by content; [] when names do not tell them apart."""
    try:
        by_name = {_name_of(item): item for item in items}
        return [by_name[name] for name in sorted(by_name)] if len(by_name) == len(items) else []
    except (KeyError, TypeError):  # no name, a name that is no scalar, or both text and numbers
        return []
