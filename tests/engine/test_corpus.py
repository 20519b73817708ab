"""On real pairs of answers the engine is silent about noise and hides nothing that a person configured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.engine.corpus import (
    OTHER_VIEW,
    PAIRS,
    SAME_VIEW,
    Verdict,
    find_exception,
    find_hidden,
    generalise,
    is_real,
    judge,
    read_exceptions,
    read_pairs,
)

pytestmark = pytest.mark.skipif(
    not PAIRS.is_file(), reason=f"the recorded pairs are not beside the project: {PAIRS.name}"
)


def judged(labels: tuple[str, ...], *, kept_back: bool | None = None) -> Iterator[Verdict]:
    for pair in read_pairs():
        if pair.label in labels and kept_back in (None, pair.kept_back):
            verdict = judge(pair)
            if verdict is not None:
                yield verdict


def share_of_silence(verdicts: list[Verdict]) -> float:
    """Of the pairs in which nobody changed anything, those about which nothing is said."""
    noise = [verdict for verdict in verdicts if verdict.silent or not is_real(verdict)]
    return sum(verdict.silent for verdict in noise) / len(noise)


@pytest.mark.parametrize("kept_back", [False, True])
def test_two_answers_of_one_kind_are_silent(kept_back: bool) -> None:
    assert share_of_silence(list(judged(SAME_VIEW, kept_back=kept_back))) >= 0.97


@pytest.mark.parametrize("label", OTHER_VIEW)
@pytest.mark.parametrize("kept_back", [False, True])
def test_two_views_are_silent(label: str, kept_back: bool) -> None:
    verdicts = list(judged((label,), kept_back=kept_back))
    assert sum(verdict.silent for verdict in verdicts) / len(verdicts) >= 0.90


def test_every_exception_has_a_reason() -> None:
    unknown = Counter(
        (verdict.resource_type, generalise(change.path))
        for verdict in judged((*SAME_VIEW, *OTHER_VIEW))
        for change in verdict.changes
        if find_exception(verdict, change) is None
    )
    assert not unknown
    assert all(exception.reason for exception in read_exceptions())


def test_every_difference_after_a_write_is_seen_or_explained() -> None:
    hidden = [
        (pair.after.get("id"), pointer)
        for pair in read_pairs()
        if pair.label == "written"
        for pointer in find_hidden(pair)
    ]
    assert hidden == []


def test_no_pair_crashes_and_both_directions_see_the_same() -> None:
    for pair in read_pairs():
        verdict = judge(pair)
        if verdict is not None:
            assert all(change.before != change.after for change in verdict.changes)
