"""docs/notices.md says what is so: its example checks real signatures, its tables name every kind, field and delay."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from api.channels import ChannelBody, TargetBody
from drift.channels import addresses, posting, stories
from drift.channels.delivery import DELAYS
from drift.channels.events import TYPE
from drift.channels.model import ChannelKind
from drift.channels.targets import NEEDS, TAKES
from drift.engine.findings import Event
from tests.drift.channels.conftest import SIGNING_KEY, AddChannel
from tests.drift.channels.receivers import Receiver
from tests.drift.watched import Watched

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "notices.md").read_text()
(EXAMPLE,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
OTHER_KEY = "whsec_" + "b" * 43 + "="


async def test_example_verifies_what_a_channel_sends(
    tenant: Watched, receiver: Receiver, add_channel: AddChannel
) -> None:
    channel = await add_channel()
    await tenant.api.request("POST", f"/api/channels/{channel['id']}/test")
    assert await tenant.host.drain() == []
    (received,) = receiver.received
    defined: dict[str, Any] = {}
    exec(EXAMPLE, defined)  # it is the project's own
    verify = defined["verify"]
    assert verify(received.headers, received.body, SIGNING_KEY)
    assert not verify(received.headers, received.body, OTHER_KEY)
    assert not verify(received.headers, received.body + b" ", SIGNING_KEY)
    old = received.headers | {"webhook-timestamp": "1700000000"}
    assert not verify(old, received.body, SIGNING_KEY)


def table(heading: str) -> dict[str, str]:
    """First cell -> rest of a line, of the table behind a heading."""
    part = PAGE.partition(f"## {heading}")[2].partition("\n## ")[0]
    lines = part.partition("| --- |")[2].splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| `")]
    return {row[0]: " | ".join(row[1:]) for row in rows}


def test_every_kind_is_explained_with_all_that_it_takes() -> None:
    rows = table("Kinds of channels")
    assert set(rows) == {f"`{kind}`" for kind in ChannelKind}
    for kind in ChannelKind:
        for name in (*NEEDS[kind], *TAKES.get(kind, ())):
            member = {"signing_key": "signingKey"}.get(name, name)
            if (kind, name) != (ChannelKind.AZURE_MAIL, "url"):  # it is in the connection string
                assert f"`{member}`" in rows[f"`{kind}`"], (kind, name)
            assert name in TargetBody.model_fields


def test_every_field_of_a_channel_is_explained() -> None:
    named = set(re.findall(r"`(\w+)`", PAGE))
    fields = {field.alias for field in ChannelBody.model_fields.values()}
    assert fields - {"name"} <= named


def test_numbers_are_those_of_the_product() -> None:
    assert DELAYS == (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400)
    assert "5 seconds, 5 minutes, half an hour,\n2, 5, 10 and 14 hours" in PAGE
    assert {443, 8443} == addresses.HTTPS_PORTS
    assert f"it has {posting.SECONDS:.0f} seconds" in PAGE
    assert f"longer ones than {stories.LONGEST_VALUE} characters" in PAGE
    assert f"up to {stories.MOST_ITEMS} `findings`" in PAGE
    assert f"`{TYPE}.opened.v1`" in PAGE
    assert all(f"`{event}`" in PAGE for event in Event)
