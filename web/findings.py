"""The list of findings: filters in the address, worst first, a page at a time; decisions about several at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from fastapi import APIRouter, Request
from fastapi.responses import Response

from api.access import Now
from api.export import send
from api.findings import AcceptBody, AcknowledgeBody, DecisionBody
from api.paging import Token, tenant_pager
from api.shapes import Name, RowKey, Shape
from drift.decisions import decide_seen
from drift.engine import findings as life
from drift.engine.findings import Finding
from drift.exports import KINDS
from drift.filters import Summary
from drift.findings import get_finding
from drift.saved_views import remove_view, save_view, saved_views
from drift.subscriptions import subscriptions
from drift.summaries import PAGE as SEARCHED
from drift.summaries import Tally, page_summaries, tallies
from errors import Conflict, Invalid, NotFound
from tenancy.access import TenantContext
from tenancy.store import TenantStore
from web import dates
from web.access import Operator, Viewer
from web.choice import AGES, KEPT, ORDERS, SHOWN, SORTS, Choice, TheChoice
from web.forms import TheForm, read
from web.rendering import go_to, render

router = APIRouter(prefix="/t/{tenant_id}/findings", include_in_schema=False)

PAGE = 50
MOST_DECIDED = 200  # findings at once
LONGEST_QUERY = 2_000


@dataclass(frozen=True, slots=True)
class Cause:
    """Findings of one page that one operation in Azure caused, or one finding alone."""

    incident: str  # '' of one alone
    findings: tuple[Summary, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """What is shown of a list."""

    causes: tuple[Cause, ...]
    position: str  # where it goes on, '' at the end
    searched: int  # findings looked through, on the pages before too
    unsorted: bool = False  # too many for the order that was asked for

    @property
    def found(self) -> int:
        return sum(len(cause.findings) for cause in self.causes)

    @property
    def full(self) -> bool:
        return self.found >= PAGE


@router.get("")
async def list_findings(
    tenant: Viewer, request: Request, choice: TheChoice, now: Now, token: Token = None
) -> Response:
    pager = await tenant_pager(request, tenant)
    tabs = _tabs(choice, await tallies(tenant.store))
    number = next(number for key, _, number, _ in tabs if key == choice.show)
    page, names, views = await asyncio.gather(
        _page(tenant.store, choice, number, pager.start(token), now),
        names_by_id(tenant.store),
        saved_views(tenant),
    )
    return render(
        request,
        "findings.html",
        tenant,
        choice=choice,
        page=page,
        number=number,
        first=token is None,
        following=pager.link(page.position),
        tabs=tabs,
        names=names,
        ages=AGES,
        orders=ORDERS,
        views=views,
        files=[kind.suffix for kind in KINDS.values()],
    )


@router.get("/export.{suffix}")
async def export(tenant: Viewer, suffix: str, choice: TheChoice, now: Now) -> Response:
    """All that the list would show, as a file."""
    for name, kind in KINDS.items():
        if kind.suffix == suffix:
            return await send(tenant, name, choice.wanted(now), now)
    raise NotFound("There is no such file.")


async def _page(store: TenantStore, choice: Choice, number: int, start: str, now: datetime) -> Page:
    """`number` is how many findings the keys leave to be looked through."""
    wanted = choice.wanted(now)
    sort = SORTS.get(choice.sort)
    if sort is not None and number <= SEARCHED:
        listed = await page_summaries(store, wanted, limit=SEARCHED)
        every = sorted(listed.found, key=sort[1])  # type: ignore[arg-type]  # one kind of key a list
        return Page(tuple(Cause("", (one,)) for one in every), "", listed.searched)
    before, _, after = start.partition("|")
    _, order = KEPT.get(choice.sort, KEPT[""])
    listed = await page_summaries(store, wanted, order=order, after=after, limit=PAGE)
    searched = int(before or 0) + listed.searched
    position = f"{searched}|{listed.cursor}" if listed.cursor else ""
    return Page(tuple(_causes(listed.found)), position, searched, sort is not None)


def _causes(found: Sequence[Summary]) -> Iterator[Cause]:
    """In the order of the list, except that what one operation caused stands together."""
    together: dict[str, list[Summary]] = {}
    for one in found:
        together.setdefault(one.incident or one.finding_id, []).append(one)
    for findings in together.values():
        yield Cause(findings[0].incident if len(findings) > 1 else "", tuple(findings))


def _tabs(choice: Choice, counts: Mapping[str, Tally]) -> list[tuple[str, str, int, str]]:
    """Key, name, number and address of each tab; numbers are of the chosen severities and subscription."""
    total: Counter[str] = Counter()
    for subscription_id, tally in counts.items():
        if choice.subscription in {"", subscription_id}:
            for (status, severity), number in tally.counts.items():
                if not choice.severities or severity in choice.severities:
                    total[status] += number
    return [
        (key, name, sum(total[status] for status in statuses), choice.address(show=key))
        for key, (name, statuses) in SHOWN.items()
    ]


async def names_by_id(store: TenantStore) -> dict[str, str]:
    """What the tenant's subscriptions are called."""
    return {
        one.subscription_id: one.name or one.subscription_id async for one in subscriptions(store)
    }


class ViewBody(Shape):
    name: Name


@router.post("/views")
async def keep_view(tenant: Viewer, form: TheForm, now: Now) -> Response:
    """The list as it is, under a name: to whoever saves it, and to nobody else."""
    name, query = read(ViewBody, name=form.text("name")).name, _safe_query(form.text("query"))
    await save_view(tenant, name, query[:LONGEST_QUERY], now=now)
    return go_to(f"/t/{tenant.tenant.tenant_id}/findings?{query}")


@router.post("/views/remove")
async def forget_view(tenant: Viewer, form: TheForm, now: Now) -> Response:
    await remove_view(tenant, form.text("view"), now=now)
    return go_to(f"/t/{tenant.tenant.tenant_id}/findings")


@router.post("/decide")
async def decide_several(tenant: Operator, request: Request, form: TheForm, now: Now) -> Response:
    """One decision about everything that is ticked, each about the value that the list showed. One that is not there
    was on no list of ours: then nothing is decided."""
    chosen = [_read_chosen(one) for one in form.every("finding")]
    if not chosen:
        raise Invalid("Tick the findings first.", field="finding")
    if len(chosen) > MOST_DECIDED:
        raise Invalid(f"Decide about {MOST_DECIDED} findings at once, or fewer.", field="finding")
    decision, reason = read_decision(form.text("action"), form.text("reason"), form.text("until"))
    await asyncio.gather(*(get_finding(tenant.store, one.finding) for one in chosen))
    outcomes = await asyncio.gather(
        *(_decide(tenant, one, decision, reason, now) for one in chosen)
    )
    refused = [outcome for outcome in outcomes if outcome]
    if not refused:
        return go_to(f"/t/{tenant.tenant.tenant_id}/findings?{_safe_query(form.text('back'))}")
    done = len(chosen) - len(refused)
    return render(request, "parts/decided.html", tenant, done=done, refused=refused)


class Chosen(Shape):
    """A finding that is ticked, and the value that the list showed."""

    finding: RowKey
    digest: str


def _read_chosen(text: str) -> Chosen:
    finding, _, digest = text.partition("|")
    return read(Chosen, finding=finding, digest=digest)


async def _decide(
    tenant: TenantContext,
    chosen: Chosen,
    decision: Callable[..., Finding],
    reason: str,
    now: datetime,
) -> str:
    """Why one of them was not decided, '' if it was."""
    key, digest = chosen.finding, chosen.digest
    try:
        await decide_seen(tenant, key, decision, digest=digest, reason=reason, now=now)
    except Conflict as error:
        return f"{key}: {error.message}"
    return ""


def read_decision(action: str, reason: str, until: str) -> tuple[Callable[..., Finding], str]:
    """The decision that a form asks for, with its reason, as the API's bodies would have them."""
    match action:
        case "acknowledge":
            return life.acknowledge, read(AcknowledgeBody, reason=reason).reason
        case "accept":
            body = read(AcceptBody, reason=reason, until=dates.end_of_day(until, field="until"))
            return partial(life.accept, until=body.until), body.reason
        case "ignore":
            return life.ignore, read(DecisionBody, reason=reason).reason
        case "reopen":
            return life.reopen, read(DecisionBody, reason=reason).reason
    raise Invalid("There is no such decision.", field="action")


def _safe_query(text: str) -> str:
    """A query of our own, to come back to; anything odd is dropped."""
    return text if all(c.isalnum() or c in "-_.~%&=+" for c in text) else ""
