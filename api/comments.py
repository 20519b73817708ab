"""/api/findings/{id}/comments: what people say to each other about a finding."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request, status
from pydantic import ConfigDict, Field

from api.access import Now, Operator, Viewer
from api.paging import PageSize, Token, tenant_pager
from api.shapes import ListOf, RowKey, Shape, View
from drift.comments import LONGEST, add_comment, page_comments

router = APIRouter(prefix="/api/findings/{finding_id}/comments", tags=["findings"])

# Lines and tabs, but nothing that steers a terminal.
Text = Annotated[
    str,
    Field(min_length=1, max_length=LONGEST, pattern=r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]+$"),
]


class CommentBody(Shape):
    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "Bob asked for this."}]})

    text: Text


class CommentView(View):
    id: str = Field(validation_alias="comment_id")
    author: str
    at: datetime
    text: str


@router.get("", response_model=ListOf[CommentView], name="list_comments")
async def list_comments(
    finding_id: RowKey, tenant: Viewer, request: Request, size: PageSize = 50, token: Token = None
) -> ListOf[CommentView]:
    """Newest first."""
    pager = await tenant_pager(request, tenant)
    start = pager.start(token)
    comments, cursor = await page_comments(tenant.store, finding_id, after=start, limit=size)
    return ListOf(
        value=[CommentView.model_validate(one) for one in comments], next_link=pager.link(cursor)
    )


@router.post(
    "", response_model=CommentView, status_code=status.HTTP_201_CREATED, name="add_comment"
)
async def add(finding_id: RowKey, tenant: Operator, body: CommentBody, now: Now) -> CommentView:
    """Plain text. Nobody can change or remove it afterwards."""
    return CommentView.model_validate(await add_comment(tenant, finding_id, body.text, now=now))
