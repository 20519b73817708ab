"""Messages for people in Teams and Slack. Text from Azure goes only where neither reads markup: text runs of an
adaptive card, and Slack's plain text. No mention, link or format can come of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import msgspec

from drift.channels.envelope import Envelope, about, facts, rest, scope
from drift.channels.stories import Item
from drift.engine.model import Severity

Json: TypeAlias = dict[str, Any]
LARGEST_CARD = 24_000  # bytes: Teams takes 28 KB
MOST_BLOCKS = 46  # Slack takes 50
LONGEST_BLOCK = 2_900  # characters: Slack takes 3,000
COLOURS = {
    Severity.CRITICAL: "attention",
    Severity.HIGH: "attention",
    Severity.MEDIUM: "warning",
    Severity.LOW: "accent",
    Severity.INFORMATIONAL: "default",
}


def teams(envelope: Envelope) -> bytes:
    """What a workflow of Teams posts: a message with one adaptive card, cut to what Teams takes."""
    number = len(envelope.story.items)
    while True:
        body = msgspec.json.encode(_teams_message(envelope, number))
        if len(body) <= LARGEST_CARD or not number:
            return body
        number -= 1


def _teams_message(envelope: Envelope, number: int) -> Json:
    story = envelope.story
    body = [_runs((envelope.title, {"weight": "bolder", "size": "medium"}))]
    if scope(story):
        body.append(_runs((f"Subscription {scope(story)}", {"isSubtle": True})))
    for item in story.items[:number]:
        body.append(_item_card(item))
    hidden = story.total - number
    if hidden > 0:
        body.append(_runs((f"and {hidden} more", {"isSubtle": True})))
    card: Json = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
    }
    if envelope.link:
        card["actions"] = [
            {"type": "Action.OpenUrl", "title": "Open in Drift Detector", "url": envelope.link}
        ]
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return {"type": "message", "attachments": [attachment]}


def _item_card(item: Item) -> Json:
    lines = [_runs((about(item), {"weight": "bolder", "color": COLOURS[item.severity]}))]
    for label, text in facts(item):
        lines.append(_runs((f"{label}: ", {"isSubtle": True}), (text, {})))
    return {"type": "Container", "separator": True, "items": lines}


def _runs(*runs: tuple[str, Json]) -> Json:
    """A paragraph of text runs, which Teams shows as they are; a TextBlock would be read as Markdown."""
    inlines = [{"type": "TextRun", "text": text, **style} for text, style in runs]
    return {"type": "RichTextBlock", "inlines": inlines}


def slack(envelope: Envelope) -> bytes:
    """A message of blocks. `text` is for notifications only and read as markup, so it is escaped as Slack says."""
    message = {
        "text": escape(envelope.title),
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": list(_slack_blocks(envelope)),
    }
    return msgspec.json.encode(message)


def escape(text: str) -> str:
    """Slack's own rule: these three begin mentions, links and entities."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _slack_blocks(envelope: Envelope) -> Iterator[Json]:
    story = envelope.story
    yield {"type": "header", "text": _plain(envelope.title, 150)}
    if scope(story):
        yield {"type": "context", "elements": [_plain(f"Subscription {scope(story)}")]}
    for item in story.items[:MOST_BLOCKS]:
        lines = [about(item), *(f"{label}: {text}" for label, text in facts(item))]
        yield {"type": "section", "text": _plain("\n".join(lines))}
    if rest(story):
        yield {"type": "context", "elements": [_plain(rest(story))]}
    if envelope.link:
        link = {"type": "mrkdwn", "text": f"<{envelope.link}|Open in Drift Detector>"}
        yield {"type": "section", "text": link}


def _plain(text: str, most: int = LONGEST_BLOCK) -> Json:
    cut = text if len(text) <= most else f"{text[: most - 1]}…"
    return {"type": "plain_text", "text": cut, "emoji": False}
