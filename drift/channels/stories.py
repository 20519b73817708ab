"""What a notice tells, fixed when it is made: tried again or replayed it tells the same, whatever happened since.

All text in it may be anybody's: names, values and people of a customer's Azure. Each channel's template makes it text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import msgspec

from drift.engine.findings import Event, Finding
from drift.engine.model import Change, ChangeKind, Json, Severity
from drift.engine.severities import title_of

MOST_ITEMS = 20  # told one by one; of the rest, how many there are
LONGEST_VALUE = 160
LONGEST_TEXT = 400
EVENT_WORDS = {
    Event.OPENED: "New drift",
    Event.REOPENED: "Drift is back",
    Event.WORSENED: "Drift got worse",
    Event.RESOLVED: "Drift is gone",
}


class StoryKind(StrEnum):
    DRIFT = "drift"
    DIGEST = "digest"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Item:
    """One finding and what happened to it."""

    event: Event
    finding_id: str
    severity: Severity
    kind: ChangeKind
    resource_id: str
    resource_type: str
    title: str
    path: str = ""  # of the worst change, '' for the whole resource
    before: str = ""
    after: str = ""
    changed_by: str = ""
    operation: str = ""
    changed_at: str = ""


@dataclass(frozen=True, slots=True)
class Story:
    kind: StoryKind
    items: tuple[Item, ...]  # the worst first
    total: int  # findings told of, those beyond `items` too
    subscription_id: str = ""  # '' for several
    subscription: str = ""  # its name
    incident: str = ""
    left: int = 0  # findings of the incident that still are to be dealt with, where all that is told is resolved

    @property
    def severity(self) -> Severity:
        ranks = [item.severity for item in self.items]
        return max(ranks, key=lambda one: one.rank, default=Severity.INFORMATIONAL)

    @property
    def event(self) -> Event:
        """The one that matters most."""
        events = {item.event for item in self.items}
        order = (Event.OPENED, Event.REOPENED, Event.WORSENED, Event.RESOLVED)
        return next((one for one in order if one in events), Event.OPENED)

    @property
    def headline(self) -> str:
        """Plain words of ours, without anything that somebody in Azure typed."""
        if self.kind is StoryKind.TEST:
            return "Test of this channel: it works"
        number = f"{self.total} finding{'s' if self.total != 1 else ''}"
        if self.kind is StoryKind.DIGEST:
            return f"Drift digest: {number}, the worst {self.severity}"
        return f"{EVENT_WORDS[self.event]}: {number}, {self.severity}"


def item_of(finding: Finding, event: str) -> Item:
    worst = max(finding.changes, key=lambda change: change.severity.rank, default=None)
    by = finding.attribution
    return Item(
        event=Event(event),
        finding_id=finding.finding_id,
        severity=finding.severity,
        kind=finding.kind,
        resource_id=_cut(finding.resource_id, 1000),
        resource_type=_cut(finding.resource_type, LONGEST_TEXT),
        title=title_of(worst.rule if worst else "", finding.kind),
        path=_cut(worst.path, LONGEST_TEXT) if worst else "",
        before=_value(worst, worst.before) if worst else "",
        after=_value(worst, worst.after) if worst else "",
        changed_by=_cut(by.changed_by, LONGEST_TEXT) if by else "",
        operation=_cut(by.operation, LONGEST_TEXT) if by else "",
        changed_at=_cut(by.timestamp, 40) if by else "",
    )


def tell(
    found: Iterable[tuple[Finding, str]], *, subscription: str, incident: str, left: int
) -> Story:
    items = [item_of(finding, event) for finding, event in found]
    subscription_id = items[0].finding_id.partition(".")[0] if items else ""
    return Story(
        StoryKind.DRIFT, _worst(items), len(items), subscription_id, subscription, incident, left
    )


def digest(stories: Sequence[Story]) -> Story:
    """Several stories in one."""
    items = [item for story in stories for item in story.items]
    total = sum(story.total for story in stories)
    (subscription_id, subscription), *others = {
        (story.subscription_id, story.subscription) for story in stories
    }
    if others:
        subscription_id = subscription = ""
    return Story(StoryKind.DIGEST, _worst(items), total, subscription_id, subscription)


def example(subscription_id: str, *, now: datetime) -> Story:
    """What the test of a channel tells: plainly no finding."""
    item = Item(
        event=Event.OPENED,
        finding_id=f"{subscription_id}.{'0' * 32}",
        severity=Severity.INFORMATIONAL,
        kind=ChangeKind.MODIFIED,
        resource_id=f"/subscriptions/{subscription_id}/resourceGroups/example",
        resource_type="microsoft.resources/resourcegroups",
        title="An example: nothing drifted",
        path="/tags/owner",
        before="ada",
        after="bob",
        changed_by="ada@example.com",
        changed_at=now.isoformat(),
    )
    return Story(StoryKind.TEST, (item,), 1, subscription_id)


def _worst(items: Iterable[Item]) -> tuple[Item, ...]:
    ordered = sorted(items, key=lambda item: (-item.severity.rank, item.resource_id))
    return tuple(ordered[:MOST_ITEMS])


def _value(change: Change, value: Json) -> str:
    """A short value as text; of a long one only that it is long. Secrets in it were replaced before it was stored."""
    if value is None or not change.path:
        return ""
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= LONGEST_VALUE else f"({len(text)} characters)"


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
