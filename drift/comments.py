"""What people say to each other about a finding. Nothing changes or removes a comment; the audit trail names each."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from drift.findings import COMMENT, get_finding
from tenancy import audit
from tenancy.access import TenantContext
from tenancy.rowkeys import newest_first
from tenancy.rows import Row, Value
from tenancy.store import Table, TenantStore

LONGEST = 4_000  # characters


@dataclass(frozen=True, slots=True)
class Comment:
    comment_id: str
    author: str
    at: datetime
    text: str


async def page_comments(
    store: TenantStore, finding_id: str, *, after: str = "", limit: int
) -> tuple[list[Comment], str]:
    """Newest first. Raises NotFound when there is no such finding."""
    await get_finding(store, finding_id)
    prefix = _of(finding_id)
    rows, cursor = await store.page(Table.FINDING, prefix=prefix, after=after, limit=limit)
    return [_read(row, prefix) for row in rows], cursor


async def add_comment(
    context: TenantContext, finding_id: str, text: str, *, now: datetime
) -> Comment:
    """Raises NotFound when there is no such finding."""
    await get_finding(context.store, finding_id)
    comment = Comment(f"{newest_first(now)}.{secrets.token_hex(4)}", context.actor.name, now, text)
    values: dict[str, Value] = {"author": comment.author, "at": now, "text": text}
    key = _of(finding_id) + comment.comment_id
    await context.store.insert(Table.FINDING, key, values)
    await audit.record(
        context.store,
        context.actor,
        "finding.comment",
        finding_id,
        now=now,
        detail=comment.comment_id,
    )
    return comment


def _of(finding_id: str) -> str:
    return f"{COMMENT}{finding_id}."


def _read(row: Row, prefix: str) -> Comment:
    values = row.values
    return Comment(row.key.removeprefix(prefix), values["author"], values["at"], values["text"])
