from __future__ import annotations

import json

import pytest

from dev.host.messages import TypedData
from dev.host.outputs import read_messages


@pytest.mark.parametrize(
    ("data", "messages"),
    [
        (TypedData(string="one"), ["one"]),
        (TypedData(bytes="é".encode()), ["é"]),
        (TypedData(json=json.dumps(["one", "two"])), ["one", "two"]),
        (TypedData(json=json.dumps([{"id": None, "body": "one"}])), ["one"]),
        (TypedData(json=json.dumps({"scan": 1})), ['{"scan": 1}']),
        (TypedData(json="[]"), []),
    ],
)
def test_value_of_an_output_becomes_its_messages(data: TypedData, messages: list[str]) -> None:
    assert list(read_messages(data)) == messages
