"""docs/drift.md tells the truth: the real engine reports what each of its examples says, and nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from drift.engine.canonical import canonicalise
from drift.engine.compare import differ
from drift.engine.model import Severity

PAGE = Path(__file__).parents[2] / "docs" / "drift.md"
EXAMPLES = [
    json.loads(text) for text in re.findall(r"```json drift\n(.*?)```", PAGE.read_text(), re.DOTALL)
]


def report(example: dict[str, Any], before: str, after: str) -> list[str]:
    resource = {
        "id": f"/subscriptions/s/resourceGroups/g/providers/{example['type']}/x",
        "type": example["type"],
    }
    sides = [
        canonicalise({**resource, **example[side]}, secret_key=b"k" * 32)
        for side in (before, after)
    ]
    difference = differ(*sides)
    changes = difference.changes if difference else ()
    return [f"{c.kind} {c.path}" for c in changes if c.severity is not Severity.INFORMATIONAL]


def test_page_has_examples() -> None:
    assert len(EXAMPLES) >= 8


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example["type"]))
def test_example_is_what_the_engine_reports(example: dict[str, Any]) -> None:
    assert sorted(report(example, "before", "after")) == sorted(example["drift"])


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example["type"]))
def test_example_read_backwards_is_mirrored(example: dict[str, Any]) -> None:
    mirrored = {"added": "removed", "removed": "added", "modified": "modified"}
    expected = [
        mirrored[line.split(" ", 1)[0]] + " " + line.split(" ", 1)[1] for line in example["drift"]
    ]
    assert sorted(report(example, "after", "before")) == sorted(expected)
