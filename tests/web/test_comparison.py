"""Two documents side by side."""

from __future__ import annotations

from web.comparison import CONTEXT, Line, Look, compare

LONG = {f"k{number:02}": number for number in range(40)}


def test_only_what_is_around_a_difference_is_shown() -> None:
    lines = compare(LONG, {**LONG, "k20": 99})
    assert lines[0] == Line(Look.GAP, "18 equal lines")
    assert lines[-1].look is Look.GAP
    assert len(lines) == 2 + 2 * CONTEXT + 1
    (changed,) = [line for line in lines if line.look not in {Look.SAME, Look.GAP}]
    assert (changed.before.strip(), changed.after.strip()) == ('"k20": 20,', '"k20": 99,')


def test_the_whole_is_shown_on_request() -> None:
    lines = compare(LONG, {**LONG, "k20": 99}, whole=True)
    assert len(lines) == 42
    assert Look.GAP not in {line.look for line in lines}


def test_equal_documents_have_nothing_to_show() -> None:
    assert compare(LONG, LONG) == []


def test_a_side_that_is_not_there_has_no_lines() -> None:
    assert {line.look for line in compare(None, {"a": 1})} == {Look.COME}
    assert {line.look for line in compare({"a": 1}, None)} == {Look.GONE}
