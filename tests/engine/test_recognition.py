"""What is recognised without its canonical form must be what the canonical form would have called unchanged."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.engine.canonical import canonicalise
from drift.engine.recognition import (
    arrange,
    collate,
    holds_bookkeeping,
    make_digest,
    order,
    trim,
)
from drift.engine.repacking import plan_packs
from drift.engine.survey import Collected, Survey
from tests.engine.documents import KEY, raw, vnet

GROUP = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/g/providers"
WORKFLOW = {"id": f"{GROUP}/Microsoft.Logic/workflows/w", "type": "Microsoft.Logic/workflows"}
SUBNETS = [{"name": "a", "properties": {"p": 1}}, {"name": "b", "properties": {"p": 2}}]

NAMES = st.sampled_from(
    ["etag", "provisioningState", "lastModifiedAt", "name", "subnets", "dnsServers", "a", "b"]
)
LEAVES = st.sampled_from(
    ["", "x", "y", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", None, True, 0, 1, 1.0, 2.5]
)
VALUES = st.recursive(
    LEAVES,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=4),
    max_leaves=12,
)


def survey(before: dict[str, Any], after: dict[str, Any]) -> Collected:
    """Both ways: as when few documents moved, and as when the members of all do."""
    first = Survey(None, secret_key=KEY)
    first.add_page([raw(before)])
    index = plan_packs(None, first.finish(), source="test").build({}).index
    collected = []
    for is_trimming in (True, False):
        second = Survey(index, secret_key=KEY)
        second._is_trimming = is_trimming
        second.add_page([raw(after)])
        collected.append(second.finish())
    assert collected[0].changed == collected[1].changed
    return collected[0]


def rearrange(value: Any, chance: random.Random) -> Any:
    """The same in another order, with other bookkeeping."""
    if isinstance(value, dict):
        names = chance.sample(sorted(value), len(value))
        return {name: _refresh(name, rearrange(value[name], chance), chance) for name in names}
    if isinstance(value, list):
        return [rearrange(item, chance) for item in chance.sample(value, len(value))]
    return value


def _refresh(name: str, value: Any, chance: random.Random) -> Any:
    refreshing = name in {"etag", "provisioningState", "lastModifiedAt"} and isinstance(value, str)
    return chance.choice([value, "2026-01-03T00:00:00Z"]) if refreshing else value


@settings(max_examples=500)
@given(VALUES, st.booleans(), st.integers())
def test_what_is_recognised_is_what_did_not_change(
    value: Any, is_workflow: bool, seed: int
) -> None:
    """Whatever the document: a survey of bytes says the same as two canonical forms."""
    envelope = WORKFLOW if is_workflow else vnet(1)
    before = envelope | {"properties": {"a": value, "definition": value}}
    after = rearrange(before, random.Random(seed))
    digests = {canonicalise(one, secret_key=KEY).digest for one in (before, after)}
    assert bool(survey(before, after).changed) == (len(digests) == 2)


def test_items_in_another_order_are_recognised_unless_their_order_counts() -> None:
    moved = survey(vnet(1, subnets=SUBNETS), vnet(1, subnets=SUBNETS[::-1]))
    assert (moved.changed, moved.renewed.keys()) == ((), {0})
    assert arrange(raw(vnet(1, subnets=SUBNETS))) == arrange(raw(vnet(1, subnets=SUBNETS[::-1])))
    servers = [{"dhcpOptions": {"dnsServers": given}} for given in (["10.0.0.4", "10.0.0.5"],) * 2]
    servers[1]["dhcpOptions"]["dnsServers"] = ["10.0.0.5", "10.0.0.4"]
    assert len(survey(vnet(1, **servers[0]), vnet(1, **servers[1])).changed) == 1


def test_a_value_that_moved_to_another_member_or_item_is_no_rearrangement() -> None:
    one, other = [{"name": "a", "p": 1}, {"name": "b", "p": 2}], [{"name": "a", "p": 2}]
    assert arrange(raw({"x": one})) != arrange(raw({"x": [*other, {"name": "b", "p": 1}]}))
    assert arrange(raw({"x": 1, "y": 2})) != arrange(raw({"x": 2, "y": 1}))
    assert arrange(raw({"x": [1, [2, 3]]})) != arrange(raw({"x": [[1, 2], 3]}))


@pytest.mark.parametrize(
    "row",
    [b"[]", b"{", b'{"a":NaN}', b'{"a":"\\ud800"}', b'{"a":' * 2000 + b"1" + b"}" * 2000, b"\xff"],
)
def test_odd_json_is_never_recognised_by_its_arrangement(row: bytes) -> None:
    assert arrange(row) is collate(row) is None
    assert order(row) == (None, None)


def test_a_collated_document_has_its_members_in_order_and_its_items_as_they_came() -> None:
    row, other = (
        b'{"etag":"1","properties":{"provisioningState":"a","x":[2,1]},"systemData":{"lastModifiedAt":"2026-01-01T00:00:00Z"}}',
        b'{"systemData":{"lastModifiedAt":"2026-02-01T00:00:00Z"},"properties":{"x":[2,1],"provisioningState":"b"},"etag":"2"}',
    )
    assert collate(row) == collate(other) is not None
    assert collate(row) != collate(other.replace(b"[2,1]", b"[1,2]"))
    assert order(row) == (collate(row), arrange(row))


def test_documents_whose_items_have_an_order_are_recognised_when_their_members_move() -> None:
    """Page after page: the first shows that bytes alone say nothing."""
    before = [
        vnet(number, dhcpOptions={"dnsServers": [f"10.0.{number}.5", "10.0.0.4"]})
        for number in range(3_000)
    ]
    first = Survey(None, secret_key=KEY)
    first.add_page([raw(document) for document in before])
    index = plan_packs(None, first.finish(), source="test").build({}).index
    again = Survey(index, secret_key=KEY)
    again._reduce = pytest.fail  # type: ignore[assignment, method-assign] # nothing needs its canonical form
    moved = [dict(reversed(document.items())) for document in before[1_000:]]
    again.add_page([raw(document) for document in before[:1_000]])
    again._is_trimming = False
    again.add_page([raw(document) for document in moved])
    collected = again.finish()
    assert (collected.changed, collected.missing, len(collected.renewed)) == ((), (), 2_000)
    assert collected.parsed == 2_000


def test_trimming_takes_whole_members_only() -> None:
    assert trim(b'{"etag":"1","a":1}') == trim(b'{"etag":"\\"2","a":1}')
    assert trim(b'{"a":"\\"etag\\":\\"1\\""}') != trim(b'{"a":"\\"etag\\":\\"2\\""}')
    assert trim(b'{"lastModifiedAt":"never"}') != trim(b'{"lastModifiedAt":"now"}')
    assert holds_bookkeeping(b'{"definition":{"etag":"1"}}')
    assert not holds_bookkeeping(b'{"note":"etag"}')


def test_digests_depend_on_every_byte_and_on_the_key() -> None:
    row = bytes(range(256)) * 20
    digest = make_digest(KEY)
    assert (len(digest(row)), digest(row)) == (16, make_digest(KEY)(memoryview(row)))
    others = [row[:at] + bytes([row[at] ^ 1]) + row[at + 1 :] for at in range(0, len(row), 7)]
    others += [row[:-1], row + b"\0", b"", row[16:] + row[:16]]
    assert len({digest(other) for other in others} | {digest(row)}) == len(others) + 1
    assert make_digest(b"another tenant's")(row) != digest(row)
