"""The list of findings: filters in the address, worst first, a page at a time; decisions about several at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from api.access import Now
from api.findings import AcceptBody, AcknowledgeBody, DecisionBody
from api.paging import Token, tenant_pager
from api.shapes import GUID_PATTERN, RowKey, Shape
from drift.decisions import decide_seen
from drift.engine import findings as life
from drift.engine.findings import UNSETTLED, Finding, Status
from drift.engine.model import Severity
from drift.findings import get_finding
from drift.subscriptions import subscriptions
from drift.summaries import Summary, Tally, Wanted, page_summaries, tallies
from errors import Conflict, Invalid
from tenancy.access import TenantContext
from tenancy.store import TenantStore
from web import dates
from web.access import Operator, Viewer
from web.forms import TheForm, read
from web.rendering import go_to, render
from web.wording import resource_name

router = APIRouter(prefix="/t/{tenant_id}/findings", include_in_schema=False)

PAGE = 50
MOST_SORTED = 2_000  # summaries that are read to sort a list otherwise than it is stored
SHOWN: Mapping[str, tuple[str, frozenset[Status]]] = {
    "undecided": ("To deal with", UNSETTLED),
    "accepted": ("Accepted", frozenset({Status.ACCEPTED})),
    "ignored": ("Ignored", frozenset({Status.IGNORED})),
    "resolved": ("Resolved", frozenset({Status.RESOLVED})),
    "all": ("All", frozenset(Status)),
}
AGES: Mapping[str, tuple[str, timedelta]] = {
    "day": ("the last 24 hours", timedelta(days=1)),
    "week": ("the last 7 days", timedelta(days=7)),
    "month": ("the last 30 days", timedelta(days=30)),
}
SORTS: Mapping[str, tuple[str, Callable[[Summary], object], bool]] = {
    "newest": ("newest change first", lambda one: one.last_seen, True),
    "oldest": ("oldest first", lambda one: one.first_seen, False),
    "resource": ("by resource", lambda one: resource_name(one.resource_id).lower(), False),
    "type": ("by type", lambda one: (one.resource_type, -one.severity.rank), False),
}
Text = Annotated[str, Query(max_length=200)]


@dataclass(frozen=True, slots=True)
class Choice:
    """What the reader asked for, as the address says it."""

    show: str
    severities: tuple[Severity, ...]
    subscription: str
    type: str
    group: str
    actor: str
    text: str
    age: str
    sort: str

    def wanted(self, now: datetime) -> Wanted:
        return Wanted(
            statuses=SHOWN[self.show][1],
            severities=frozenset(self.severities),
            subscription_id=self.subscription,
            resource_type=self.type.strip().lower(),
            group=self.group.strip().lower(),
            actor=self.actor.strip().lower(),
            text=self.text.strip().lower(),
            since=now - AGES[self.age][1] if self.age else None,
        )

    def address(self, **changes: str) -> str:
        """The query of this list with something else changed, such as another tab."""
        said = {
            "show": self.show,
            "subscription": self.subscription,
            "type": self.type,
            "group": self.group,
            "actor": self.actor,
            "text": self.text,
            "age": self.age,
            "sort": self.sort,
        }
        pairs = [(name, value) for name, value in {**said, **changes}.items() if value]
        return urlencode([*pairs, *(("severity", one.value) for one in self.severities)])

    @property
    def narrowed(self) -> bool:
        """Whether anything but the tab narrows the list."""
        return bool(
            self.severities
            or self.subscription
            or self.type
            or self.group
            or self.actor
            or self.text
            or self.age
        )


def choice_of(
    show: Text = "undecided",
    severity: Annotated[list[Severity], Query()] = [],  # noqa: B006 - FastAPI copies defaults
    subscription: Annotated[str, Query(pattern=f"{GUID_PATTERN}|^$")] = "",
    resource_type: Annotated[str, Query(alias="type", max_length=200)] = "",
    group: Text = "",
    actor: Text = "",
    text: Text = "",
    age: Text = "",
    sort: Text = "",
) -> Choice:
    for name, value, known in (("show", show, SHOWN), ("age", age, AGES), ("sort", sort, SORTS)):
        if value and value not in known:
            raise Invalid(f"{name} must be one of {', '.join(known)}.", field=name)
    severities = tuple(one for one in Severity if one in severity)
    return Choice(
        show or "undecided",
        severities,
        subscription,
        resource_type,
        group,
        actor,
        text,
        age,
        sort,
    )


TheChoice = Annotated[Choice, Depends(choice_of)]


@router.get("")
async def list_findings(
    tenant: Viewer, request: Request, choice: TheChoice, now: Now, token: Token = None
) -> Response:
    pager = await tenant_pager(request, tenant)
    found, cursor = await _page(tenant.store, choice, pager.start(token), now)
    counts = await tallies(tenant.store)
    return render(
        request,
        "findings.html",
        tenant,
        choice=choice,
        found=found,
        following=pager.link(cursor),
        cut=bool(choice.sort) and len(found) == MOST_SORTED,
        tabs=_tabs(choice, counts),
        names=await names_by_id(tenant.store),
        ages=AGES,
        sorts=SORTS,
    )


async def _page(
    store: TenantStore, choice: Choice, after: str, now: datetime
) -> tuple[list[Summary], str]:
    """Worst first a page is read; any other order needs all that pass, up to a limit that the page tells."""
    wanted = choice.wanted(now)
    if not choice.sort:
        return await page_summaries(store, wanted, after=after, limit=PAGE)
    _, key, backwards = SORTS[choice.sort]
    every, _ = await page_summaries(store, wanted, limit=MOST_SORTED)
    every.sort(key=key, reverse=backwards)  # type: ignore[arg-type]  # one kind of key a list
    return every, ""


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


@router.post("/decide")
async def decide_several(tenant: Operator, request: Request, form: TheForm, now: Now) -> Response:
    """One decision about everything that is ticked, each about the value that the list showed. One that is not there
    was on no list of ours: then nothing is decided."""
    chosen = [_read_chosen(one) for one in form.every("finding")[:PAGE]]
    if not chosen:
        raise Invalid("Tick the findings first.", field="finding")
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
