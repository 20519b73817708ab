"""A row's values on their way to Table Storage and back, to the byte of every limit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from azure.data.tables import EdmType, EntityProperty, TableEntity

from errors import Invalid
from tenancy.rows import (
    BINARY_PROPERTY,
    ENTITY_BINARY,
    Row,
    from_edm,
    join_binary,
    measure,
    read_etag,
    read_row,
    split_binary,
    to_edm,
    weigh,
)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_row_is_without_keys_and_bookkeeping() -> None:
    entity = TableEntity(
        {
            "PartitionKey": "t",
            "RowKey": "key",
            "tenant_id": "t",
            "_schema": 1,
            "_write": "w",
            "_size": 99,
            "name": "Ada",
            "large": EntityProperty(2**40, EdmType.INT64),
        }
    )
    entity._metadata = {"etag": "W/1"}
    assert read_row(entity) == Row("key", {"name": "Ada", "large": 2**40}, "W/1")
    assert read_row({"RowKey": "key", "name": "Ada"}) == Row("key", {"name": "Ada"}, "")


def test_row_says_in_which_form_it_is_stored() -> None:
    assert read_row({"RowKey": "key"}).version == 1  # of before rows said it
    assert read_row({"RowKey": "key", "_schema": 3}).version == 3


def test_storage_s_own_time_comes_where_it_was_asked_for() -> None:
    entity = TableEntity({"RowKey": "key"})
    assert read_row(entity).written_at is None
    entity._metadata = {"etag": "W/1", "timestamp": NOON.astimezone(timezone(timedelta(hours=5)))}
    written_at = read_row(entity).written_at
    assert written_at == NOON
    assert written_at.tzinfo is UTC


def test_etag_that_is_absent_is_none_that_matches() -> None:
    assert read_etag({"etag": "W/1"}) == "W/1"
    assert read_etag({}) == ""


@pytest.mark.parametrize("value", [True, 1.5, b"\x00", 0, 2**31 - 1, -(2**31)])
def test_value_that_storage_knows_goes_as_it_is(value: bool | float | bytes | int) -> None:
    stored = to_edm(value)
    assert (stored, type(stored)) == (value, type(value))


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 2**62])
def test_larger_number_says_that_it_has_64_bits(value: int) -> None:
    assert to_edm(value) == EntityProperty(value, EdmType.INT64)
    assert from_edm(to_edm(value)) == value


def test_time_is_stored_in_utc_or_refused() -> None:
    there = NOON.astimezone(timezone(timedelta(hours=5)))
    assert to_edm(there) == NOON
    assert to_edm(there).tzinfo is UTC
    with pytest.raises(Invalid) as refused:
        to_edm(NOON.replace(tzinfo=None))
    assert refused.value.field == "time"
    assert refused.value.message == "A time without zone would be stored as local time."


def test_time_comes_back_as_pythons_own() -> None:
    back = from_edm(NOON.astimezone(timezone(timedelta(hours=5))))
    assert (back, back.tzinfo, type(back)) == (NOON, UTC, datetime)


def test_text_of_an_enumeration_is_stored_as_text() -> None:
    from tenancy.roles import Role

    stored = to_edm(Role.ADMIN)
    assert (stored, type(stored)) == ("admin", str)


def test_binary_is_cut_at_the_limit_of_a_property() -> None:
    data = bytes(BINARY_PROPERTY) + b"end"
    assert split_binary(data) == {"d0": bytes(BINARY_PROPERTY), "d1": b"end"}
    assert join_binary({"d0": b"a", "d1": b"b", "d3": b"behind a gap", "other": 1}) == b"ab"
    assert split_binary(b"") == {}
    assert join_binary({}) == b""


def test_binary_fills_an_entity_and_no_more() -> None:
    full = split_binary(bytes(ENTITY_BINARY))
    assert sum(len(piece) for piece in full.values() if isinstance(piece, bytes)) == ENTITY_BINARY
    with pytest.raises(Invalid) as refused:
        split_binary(bytes(ENTITY_BINARY + 1))
    assert refused.value.field == "data"
    assert refused.value.message == f"{ENTITY_BINARY + 1} bytes do not fit into one row."


def test_size_is_what_the_service_counts() -> None:
    """4 bytes, the keys' characters twice, and of a property 8, its name's characters twice, and its value."""
    keys = {"PartitionKey": "tenant", "RowKey": "key"}
    assert measure({}) == 4
    assert measure(keys) == 4 + 12 + 6
    assert measure({"name": "Adaé"}) == 4 + (8 + 8 + 4 + 8)
    assert measure({"d0": bytes(300)}) == 4 + (8 + 4 + 4 + 300)
    assert measure({"is": True}) == 4 + (8 + 4 + 1)
    assert measure({"n": 7}) == 4 + (8 + 2 + 4)
    for value in (1.5, NOON, EntityProperty(2**40, EdmType.INT64)):
        assert measure({"n": value}) == 4 + (8 + 2 + 8)
    assert measure({**keys, "n": 7, "is": True}) == 22 + 14 + 13


def test_weight_is_what_a_transaction_takes() -> None:
    """An envelope, the names twice over, binary as base64, text as much as UTF-8 may take, 16 digits for the rest."""
    assert weigh({}) == 600
    assert weigh({"data": bytes(300)}) == 600 + 2 * 4 + 60 + 400
    assert weigh({"text": "abc"}) == 600 + 2 * 4 + 60 + 9
    assert weigh({"n": 1, "at": NOON}) == 600 + (2 + 60 + 48) + (4 + 60 + 48)
