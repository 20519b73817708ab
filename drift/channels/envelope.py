"""A story on its way: which notice it is, of which tenant, and how text from a customer's Azure is made harmless."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from drift.channels.stories import Item, Story, StoryKind

# Characters that change how the text around them is read, in any program: direction, joining, and other controls.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Envelope:
    notice_id: str  # the same at each try
    tenant_id: str
    tenant: str  # its name
    channel_id: str
    channel: str  # its name
    story: Story
    created_at: datetime
    site_url: str = ""  # of the pages, '' where nobody knows it

    @property
    def link(self) -> str:
        """The page that shows it: of one finding, or the list."""
        if not self.site_url:
            return ""
        home = f"{self.site_url}/t/{self.tenant_id}"
        if self.story.kind is StoryKind.TEST:
            return f"{home}/channels/{self.channel_id}"
        if self.story.total == 1 and self.story.items:
            return f"{home}/findings/{quote(self.story.items[0].finding_id)}"
        return f"{home}/findings"

    @property
    def title(self) -> str:
        """One line: our words, then the tenant's name, which is anybody's text."""
        return f"{self.story.headline} · {line(self.tenant, 100)}"


def line(text: str, most: int = 400) -> str:
    """Text on one line: what cannot be seen or breaks lines is a space or shown as its number."""
    shown = "".join(_visible(character) for character in text)
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def facts(item: Item) -> list[tuple[str, str]]:
    """What is said of one finding, as label and text of anybody."""
    said = [
        ("Resource", item.resource_id),
        ("Property", item.path or f"the whole resource was {item.kind}"),
    ]
    if item.path and (item.before or item.after):
        said.append(("Value", f"{item.before or 'not there'} → {item.after or 'not there'}"))
    if item.changed_by:
        said.append(("Changed by", " ".join(filter(None, (item.changed_by, item.changed_at)))))
    return [(label, line(text)) for label, text in said]


def about(item: Item) -> str:
    """Our words on one finding."""
    return f"{item.severity} · {item.event} · {item.title}"


def scope(story: Story) -> str:
    """Which subscription, '' for several."""
    return line(story.subscription or story.subscription_id)


def rest(story: Story) -> str:
    """What is not told one by one."""
    more = story.total - len(story.items)
    return f"and {more} more" if more > 0 else ""


def _visible(character: str) -> str:
    if character in "\r\n\t\u2028\u2029":
        return " "
    if unicodedata.category(character) in _INVISIBLE:
        return f"\\u{ord(character):04x}"
    return character
