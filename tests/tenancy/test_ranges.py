"""Filters of row keys: what the service is asked, to the letter."""

from __future__ import annotations

import pytest

from tenancy.ranges import range_filter

PARTITION = "PartitionKey eq @tenant"


@pytest.mark.parametrize(
    ("prefix", "after", "query", "parameters"),
    [
        ("", "", "", {}),
        ("", "k5", " and RowKey gt @low", {"low": "k5"}),
        ("s.", "", " and RowKey ge @low and RowKey lt @high", {"low": "s.", "high": "s/"}),
        ("s.", "s.7", " and RowKey gt @low and RowKey lt @high", {"low": "s.7", "high": "s/"}),
        ("s.", "s.", " and RowKey gt @low and RowKey lt @high", {"low": "s.", "high": "s/"}),
        ("p", "", " and RowKey ge @low and RowKey lt @high", {"low": "p", "high": "q"}),
        # A cursor of before the range changes nothing: it would let in what does not start with the prefix.
        ("s.", "a.9", " and RowKey ge @low and RowKey lt @high", {"low": "s.", "high": "s/"}),
    ],
)
def test_range_begins_at_the_later_of_prefix_and_cursor(
    prefix: str, after: str, query: str, parameters: dict[str, str]
) -> None:
    tenant = "t' or 1 eq 1"
    assert range_filter(tenant, prefix, after) == (
        PARTITION + query,
        {"tenant": tenant, **parameters},
    )
