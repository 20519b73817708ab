"""Two views of one resource: an item of a list, the answer to a write, a row of Resource Graph, a GET.

Providers show less in one view than in another, so between views only what both show can disagree.
"""

from __future__ import annotations

from collections.abc import Iterable

from drift.engine.model import Change, ChangeKind


def find_disagreements(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Of the changes between two views those that are drift: other values, and items of arrays that both show.

    A member that only one view shows is left out. So a change that adds or removes a member is not seen between
    views; two answers of one kind see it.
    """
    return tuple(
        change for change in changes if change.kind is ChangeKind.MODIFIED or _is_item(change.path)
    )


def _is_item(path: str) -> bool:
    return path.rpartition("/")[2].startswith("[")
