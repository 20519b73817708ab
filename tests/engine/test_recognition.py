"""What is recognised without its canonical form must be what the canonical form would have called unchanged."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from drift.engine.canonical import canonicalise
from drift.engine.facts import FactKind, facts_for
from drift.engine.recognition import (
    Digester,
    arrange,
    collate,
    holds_bookkeeping,
    order,
    trim,
)
from drift.engine.redaction import hash_secret
from drift.engine.repacking import plan_packs
from drift.engine.scalars import read_number
from drift.engine.survey import Collected, Survey
from tests.engine.documents import KEY, raw, vnet
from tests.engine.nasty import BOOKKEEPING, GROUP, TYPES, Members, documents, edit, write

SUBNETS = [{"name": "a", "properties": {"p": 1}}, {"name": "b", "properties": {"p": 2}}]


def survey(before: dict[str, Any], after: dict[str, Any]) -> Collected:
    return survey_rows(raw(before), raw(after))


def survey_rows(before: bytes, after: bytes) -> Collected:
    """Both ways: as when few documents moved, and as when the members of all do."""
    first = Survey(None, secret_key=KEY)
    first.add_page([before])
    index = plan_packs(None, first.finish(), source="test").build({}).index
    collected = []
    for is_trimming in (True, False):
        second = Survey(index, secret_key=KEY)
        second._is_trimming = is_trimming
        second.add_page([after])
        collected.append(second.finish())
    assert collected[0].changed == collected[1].changed
    return collected[0]


def canonical_digest(row: bytes) -> bytes:
    """By the standard library and the walk alone, nothing being recognised."""
    read = json.loads(row, parse_float=read_number, parse_constant=str)
    return canonicalise(read, secret_key=KEY).digest


@settings(max_examples=400)
@given(documents(), st.randoms(use_true_random=False), st.integers(1, 3))
def test_what_is_recognised_is_what_did_not_change(
    document: Members, chance: random.Random, edits: int
) -> None:
    """Whatever the document and whatever was done to it: a survey of bytes says the same as two canonical forms."""
    changed = document
    for _ in range(edits):
        changed = edit(changed, chance)
    before, after = (write(one).encode() for one in (document, changed))
    differ = canonical_digest(before) != canonical_digest(after)
    assert bool(survey_rows(before, after).changed) == differ


WEB = "Microsoft.Web/sites/config"


@pytest.mark.parametrize("name", ["etag", "provisioningState", "lastModifiedAt"])
@pytest.mark.parametrize("text", ["2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"])
@pytest.mark.parametrize("others", [{}, {"a": "1"}, {"a": "1", "b": "2"}])
def test_a_tag_or_setting_that_is_called_like_a_stamp_is_seen_to_come_change_and_go(
    name: str, text: str, others: dict[str, str]
) -> None:
    stamped = others | {name: text}
    for one, other in ((others, stamped), (stamped, others), (stamped, others | {name: "x"})):
        assert survey(vnet(1) | {"tags": one}, vnet(1) | {"tags": other}).changed
        settings = {"id": f"{GROUP}/{WEB}/appsettings", "type": WEB}
        assert survey(settings | {"properties": one}, settings | {"properties": other}).changed


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("18446744073709551616", "18446744073709551617"),
        ("-9223372036854775809", "-9223372036854775810"),
        ("1e400", "2"),
        ("1e20", "100000000000000000001"),
        ("[1e20]", "[100000000000000000001]"),
        ('{"n" :\t-1e20}', '{"n" :\t-100000000000000000001}'),
        ("1", "true"),
        ("0", "false"),
        ("9007199254740992", "9007199254740993"),
        ('"2026-01-01T00:00:00Z"', '"2026-01-01T99-99"'),
        ('""', '"x"'),
        ("null", '"x"'),
        ('{"a":1,"a":2}', '{"a":2,"a":1}'),
        ('{"A":1,"a":2}', '{"A":2,"a":1}'),
        ('[{"name":"n","p":1},{"name":"n","p":2}]', '[{"name":"n","p":1},{"name":"n","p":1}]'),
        ('"\\ud83d\\ude00"', '"\\ud83d"'),
    ],
)
def test_values_that_are_easily_confused_are_told_apart(one: str, other: str) -> None:
    rows = [
        f'{{"id":"{GROUP}/Contoso.Things/things/x","tags":{{"lastModifiedAt":{value}}},'
        f'"properties":{{"x":{value},"lastModifiedAt":{value},"password":{value}}}}}'.encode()
        for value in (one, other)
    ]
    assert survey_rows(*rows).changed
    assert survey_rows(*rows[::-1]).changed


def test_half_of_a_surrogate_pair_stops_no_scan() -> None:
    row = (
        f'{{"id":"{GROUP}/Contoso.Things/things/x",'
        '"properties":{"x":[{"p":"\\ud800"},{"p":"\\ud801q"}],"\\udfff":1}}'
    ).encode()
    assert survey_rows(row, row).total == 1
    assert survey_rows(row, row.replace(b"\\ud801q", b"\\ud801r")).changed


def test_no_place_treats_one_stamp_as_configuration_because_of_another() -> None:
    """What decides about a value may be its neighbours: a stamp must be none of those."""
    deciding = {
        key
        for resource_type in (*TYPES, "Microsoft.Compute/disks")
        for fact in facts_for(resource_type).facts
        if fact.kind in (FactKind.OWNED, FactKind.AUTOSCALED)
        for key in fact.keys
    }
    assert deciding
    assert not deciding & {name.lower() for name in BOOKKEEPING}


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
    digest = Digester(KEY).digest
    assert (len(digest(row)), digest(row)) == (16, Digester(KEY).digest(memoryview(row)))
    others = [row[:at] + bytes([row[at] ^ 1]) + row[at + 1 :] for at in range(0, len(row), 7)]
    assert Digester(KEY).digest_all([row, b"", row]) == [digest(row), digest(b""), digest(row)]
    assert Digester(KEY).digest_all([]) == []
    others += [row[:-1], row + b"\0", b"", row[16:] + row[:16]]
    assert len({digest(other) for other in others} | {digest(row)}) == len(others) + 1
    assert Digester(b"another tenant's").digest(row) != digest(row)


def test_no_secret_of_a_resource_is_shown_as_the_key_of_the_digests() -> None:
    """A stand-in is seen by everybody who sees findings. It must not give away how to make two rows agree."""
    shown = bytes.fromhex(hash_secret("recognition", KEY).removeprefix("hmac:"))
    assert AESGCM(shown).encrypt(bytes(12), b"", b"row") != Digester(KEY).digest(b"row")


def test_digests_tell_nothing_about_their_key() -> None:
    """Of rows of one length, a polynomial hash of the sum is the sum of the hashes: who sees three, knows a fourth."""
    rows = [bytes([first]) + b"0123456789abcdef" for first in (1, 2, 4, 1 ^ 2 ^ 4)]
    numbers = [int.from_bytes(Digester(KEY).digest(row), "big") for row in rows]
    assert numbers[0] ^ numbers[1] ^ numbers[2] != numbers[3]
    assert Digester(KEY).digest(rows[0]) == Digester(KEY).digest(rows[0])
