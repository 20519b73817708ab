"""What somebody asked the list of findings for, as the address says it: tab, filters, order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Query

from api.shapes import GUID_PATTERN
from drift.engine.findings import UNSETTLED, Status
from drift.engine.model import Severity
from drift.filters import Summary, Wanted
from drift.summaries import Order
from errors import Invalid
from web.naming import resource_name

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
# Orders that storage keeps, and those that are made of a list that is short enough to be read as a whole.
KEPT: Mapping[str, tuple[str, Order]] = {
    "": ("worst first", Order.WORST),
    "newest": ("newest change first", Order.NEWEST),
}
SORTS: Mapping[str, tuple[str, Callable[[Summary], object]]] = {
    "oldest": ("oldest first", lambda one: one.first_seen),
    "resource": ("by resource", lambda one: resource_name(one.resource_id).lower()),
    "type": ("by type", lambda one: (one.resource_type, -one.severity.rank)),
}
ORDERS = {key: name for key, (name, _) in (*KEPT.items(), *SORTS.items())}
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
    incident: str
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
            incident=self.incident,
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
            "incident": self.incident,
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
            or self.incident
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
    incident: Annotated[str, Query(pattern=f"{GUID_PATTERN}|^$")] = "",
    age: Text = "",
    sort: Text = "",
) -> Choice:
    for name, value, known in (("show", show, SHOWN), ("age", age, AGES), ("sort", sort, ORDERS)):
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
        incident,
        age,
        sort,
    )


TheChoice = Annotated[Choice, Depends(choice_of)]
