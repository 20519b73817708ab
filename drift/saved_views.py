"""Lists of findings that somebody wants to see again: a name for a query, of one person in one tenant."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from errors import Conflict
from tenancy import audit
from tenancy.access import TenantContext
from tenancy.store import Table

MOST_VIEWS = 30
_PREFIX = "view."


@dataclass(frozen=True, slots=True)
class SavedView:
    view_id: str
    name: str
    query: str  # of the page of findings


async def saved_views(context: TenantContext) -> list[SavedView]:
    """The caller's own, by name."""
    rows, _ = await context.store.page(Table.SETTINGS, prefix=_of(context), limit=MOST_VIEWS)
    views = [SavedView(row.key, row.values["name"], row.values["query"]) for row in rows]
    return sorted(views, key=lambda view: view.name.lower())


async def save_view(context: TenantContext, name: str, query: str, *, now: datetime) -> None:
    """One of the same name is replaced. Raises Conflict when there are as many as anybody may have."""
    key = _of(context) + hashlib.sha256(name.lower().encode()).hexdigest()[:16]
    known = await saved_views(context)
    if len(known) >= MOST_VIEWS and key not in {view.view_id for view in known}:
        raise Conflict(f"You have {MOST_VIEWS} saved views. Remove one first.")
    await context.store.put(Table.SETTINGS, key, {"name": name, "query": query})
    await audit.record(context.store, context.actor, "view.save", name, now=now, detail=query)


async def remove_view(context: TenantContext, view_id: str, *, now: datetime) -> None:
    """One that is not the caller's, or not there, is left alone."""
    for view in await saved_views(context):
        if view.view_id == view_id:
            await context.store.delete(Table.SETTINGS, view_id)
            await audit.record(context.store, context.actor, "view.remove", view.name, now=now)


def _of(context: TenantContext) -> str:
    return f"{_PREFIX}{context.actor.key}."
