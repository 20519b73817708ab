"""What each kind of channel is told: complete, within its limits, and nothing that somebody typed is more than text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes, policy
from html.parser import HTMLParser
from typing import Any

import pytest

from drift.channels import cards, events, letters
from drift.channels.envelope import line
from drift.channels.stories import MOST_ITEMS, StoryKind, digest, example
from drift.channels.targets import Target
from drift.engine.findings import Event
from drift.engine.model import Severity
from tests.drift.channels.told import NASTY, NOW, SUBSCRIPTION, TENANT, envelope, item, nasty, story

MAIL = Target(sender="drift@example.com", recipients=("ada@example.com", "bob@example.com"))
LONG = "x" * 900


def objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from objects(one)


def card_of(body: bytes) -> dict[str, Any]:
    message = json.loads(body)
    (attachment,) = message["attachments"]
    assert message["type"] == "message"
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    return dict(attachment["content"])


def test_adaptive_card_tells_what_who_and_where() -> None:
    card = card_of(cards.teams(envelope()))
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    text = " ".join(one["text"] for one in objects(card) if one.get("type") == "TextRun")
    for said in ("New drift: 1 finding, high", "contoso", "shop", "Reachable from the internet",
                 "/properties/open", "10.0.0.0/8 → Internet", "ada@contoso.com"):  # fmt: skip
        assert said in text
    (action,) = card["actions"]
    finding = f"{SUBSCRIPTION}.{1:032x}"
    assert action["url"] == f"https://drift.example.com/t/{TENANT}/findings/{finding}"


def test_f14_adaptive_card_holds_anybody_s_text_in_text_runs_only() -> None:
    """A TextBlock, a fact and a title are Markdown to Teams; a text run is not. Without entities nobody is named."""
    card = card_of(cards.teams(nasty()))
    kinds = {one["type"] for one in objects(card) if "type" in one}
    assert kinds == {"AdaptiveCard", "Container", "RichTextBlock", "TextRun", "Action.OpenUrl"}
    assert "entities" not in card["msteams"]
    holders = [
        one
        for one in objects(card)
        if "evil.example" in json.dumps(list(one.values())) and "type" in one
    ]
    leaves = [
        one for one in holders if one["type"] not in {"AdaptiveCard", "Container", "RichTextBlock"}
    ]
    assert {one["type"] for one in leaves} == {"TextRun"}
    assert leaves
    assert "evil.example" not in json.dumps(card["actions"])


def test_f14_slack_message_holds_anybody_s_text_as_plain_text() -> None:
    message = json.loads(cards.slack(nasty()))
    for one in objects(message):
        if one.get("type") == "mrkdwn":
            assert one["text"].startswith("<https://drift.example.com/")
            assert "evil" not in one["text"]
        if one.get("type") == "plain_text":
            assert one["emoji"] is False
    assert any(
        "evil.example" in one.get("text", "")
        for one in objects(message)
        if one.get("type") == "plain_text"
    )
    # The one text that Slack reads as markup.
    assert "<" not in message["text"]
    assert "&lt;!channel&gt;" in message["text"]
    assert message["mrkdwn"] is False


def test_f13_mail_has_its_own_headers_and_no_others() -> None:
    raw = letters.compose(nasty(), MAIL, at=NOW).as_bytes()
    message = message_from_bytes(raw, policy=policy.default)
    assert set(message.keys()) == {
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
    }  # fmt: skip
    assert message["To"] == "ada@example.com, bob@example.com"
    assert "\n" not in message["Subject"]
    assert message["Message-ID"] == "<c1.8236438100000.abc@example.com>"
    assert message["Auto-Submitted"] == "auto-generated"


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in {"href", "src"}]
        assert {name for name, _ in attrs} <= {"href", "style", "lang"}

    def handle_data(self, data: str) -> None:
        self.text += data


def test_g05_mail_in_html_has_no_element_that_somebody_typed() -> None:
    for body in (
        letters.write(nasty()).html,
        json.loads(letters.azure(nasty(), MAIL))["content"]["html"],
    ):
        seen = Elements()
        seen.feed(body)
        assert seen.tags == {"html", "body", "h1", "h2", "p", "a", "table", "tr", "td"}
        assert all(one.startswith("https://drift.example.com/") for one in seen.links)
        assert "<script>alert(1)</script>" in seen.text


def test_mail_tells_the_same_in_both_its_forms() -> None:
    message = letters.compose(envelope(), MAIL, at=NOW)
    plain, html = message.get_body(("plain",)), message.get_body(("html",))
    assert plain is not None
    assert html is not None
    for said in ("Reachable from the internet", "10.0.0.0/8 → Internet", "ada@contoso.com", "shop"):
        assert said in plain.get_content()
        assert said in html.get_content()
    assert message["Subject"] == "New drift: 1 finding, high · contoso"


def test_azure_mail_is_as_the_service_takes_it() -> None:
    body = json.loads(letters.azure(envelope(), MAIL))
    assert body["senderAddress"] == "drift@example.com"
    assert body["recipients"] == {"to": [{"address": one} for one in MAIL.recipients]}
    assert body["content"].keys() == {"subject", "plainText", "html"}


def test_what_steers_the_text_around_it_is_shown_as_its_number() -> None:
    shown = line(NASTY)
    assert "\\u001b[31m" in shown
    assert "\\u202egnp" in shown
    assert "\r" not in shown + json.loads(cards.slack(nasty()))["text"]
    assert line("a" * 500, 100) == "a" * 99 + "…"


@pytest.mark.parametrize("number", [1, MOST_ITEMS])
def test_every_message_stays_within_what_its_receiver_takes(number: int) -> None:
    told = story(*(item(one, text=LONG) for one in range(number)), total=5_000)
    big = envelope(told, text=LONG[:200])
    assert len(cards.teams(big)) <= cards.LARGEST_CARD
    assert len(events.cloud_event(big)) <= events.LARGEST_EVENT
    message = json.loads(cards.slack(big))
    assert len(message["blocks"]) <= 50
    for block in objects(message["blocks"]):
        if block.get("type") == "plain_text":
            assert len(block["text"]) <= 3_000
    assert len(message["blocks"][0]["text"]["text"]) <= 150
    assert len(json.loads(events.pagerduty(big, "k"))["payload"]["summary"]) <= 1_024
    assert len(json.loads(events.opsgenie(big)[1])["message"]) <= 130
    for text in (cards.teams(big), cards.slack(big), letters.write(big).text.encode()):
        assert b"more" in text
    assert json.loads(events.cloud_event(big))["data"]["total"] == 5_000


def test_cloud_event_is_one_and_the_same_at_each_try() -> None:
    event = json.loads(events.cloud_event(envelope()))
    assert event.keys() == {
        "specversion", "id", "source", "type", "time", "datacontenttype", "subject", "data",
    }  # fmt: skip
    assert event["specversion"] == "1.0"
    assert event["id"] == "c1.8236438100000.abc"
    assert event["source"] == f"urn:azure-drift-detector:tenant:{TENANT}"
    assert event["subject"] == item().resource_id
    assert event["time"] == "2026-11-23T10:15:00Z"
    assert events.cloud_event(envelope()) == events.cloud_event(envelope())


@pytest.mark.parametrize(
    ("told", "name"),
    [
        (story(item(), item(2, event=Event.RESOLVED)), "opened"),
        (story(item(event=Event.REOPENED), item(2, event=Event.WORSENED)), "reopened"),
        (story(item(event=Event.WORSENED), item(2, event=Event.RESOLVED)), "worsened"),
        (story(item(event=Event.RESOLVED)), "resolved"),
        (digest([story(), story(item(2))]), "digest"),
        (example(TENANT, now=NOW), "test"),
    ],
)
def test_type_of_an_event_says_what_matters_most(told: Any, name: str) -> None:
    assert events.event_type(told) == f"azuredriftdetector.drift.{name}.v1"


def test_digest_tells_the_worst_first_and_how_many_there_are() -> None:
    low = [story(item(n, severity=Severity.LOW), subscription="shop") for n in range(30)]
    told = digest([*low, story(item(99, severity=Severity.CRITICAL), subscription="shop")])
    assert (told.kind, told.total, len(told.items)) == (StoryKind.DIGEST, 31, MOST_ITEMS)
    assert told.items[0].severity is Severity.CRITICAL
    assert told.headline == "Drift digest: 31 findings, the worst critical"
    assert told.subscription == "shop"


def test_alert_ends_with_what_opened_it() -> None:
    """The same incident or the same finding is the same alert, in PagerDuty and Opsgenie alike."""
    incident = "5f2a1c1e-94a5-4a4c-8d0b-0c8c4f1c5a01"
    opened = envelope(story(item(1), item(2), incident=incident))
    gone = (item(1, event=Event.RESOLVED), item(2, event=Event.RESOLVED))
    half = envelope(story(gone[0], incident=incident, left=1))
    over = envelope(story(*gone, incident=incident))
    said = [json.loads(events.pagerduty(one, "key")) for one in (opened, half, over)]
    assert [one["event_action"] for one in said] == ["trigger", "trigger", "resolve"]
    assert len({one["dedup_key"] for one in said}) == 1
    assert said[0]["payload"]["severity"] == "error"
    path, body = events.opsgenie(opened)
    alert = json.loads(body)
    assert (path, alert["priority"]) == ("", "P2")
    path, _ = events.opsgenie(over)
    assert path == f"/{alert['alias']}/close?identifierType=alias"
    alone = envelope(story(item(3)))
    again = envelope(story(item(3, event=Event.RESOLVED)))
    assert events.alert_key(alone) == events.alert_key(again) != events.alert_key(opened)


def test_alert_of_another_tenant_is_another_alert() -> None:
    one = envelope()
    assert events.alert_key(one) != events.alert_key(replace(one, tenant_id=SUBSCRIPTION))


def test_breaks_of_lines_are_spaces_and_what_nobody_sees_is_its_number() -> None:
    assert line("a\rb\nc\td\u2028e\u2029f") == "a b c d e f"
    assert line("a\x00b\u202ec\x85d") == "a\\u0000b\\u202ec\\u0085d"
    assert line("x" * 400) == "x" * 400
    assert line("x" * 401) == "x" * 399 + "…"
