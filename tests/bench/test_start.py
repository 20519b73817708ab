"""The figures of a cold start are of what is deployed, and their bars are the promised ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.start import IMPORT, MOST_MEMORY, MOST_SECONDS, TELEMETRY, _run, measure_start


def test_start_of_the_deployed_app_is_within_its_bars() -> None:
    figures = {figure.name: figure for figure in measure_start()}
    seconds, memory = figures["start, import of the app"], figures["start, memory after the import"]
    assert (seconds.bar, memory.bar) == (MOST_SECONDS, MOST_MEMORY) == (1.0, 110.0)
    assert seconds.ok, seconds
    assert memory.ok, memory
    assert seconds.value > 0.05  # it was not an empty process that was measured
    assert memory.value > 20
    for name in TELEMETRY:
        for figure in (
            figures[f"start, import with {name}"],
            figures[f"start, memory with {name}"],
        ):
            assert figure.ok, figure
        # The exporters are really there, from the first invocation on.
        first = figures[f"start, its memory with {name}"]
        assert first.value > figures["start, memory at the first HTTP request"].value


def test_app_that_does_not_import_has_no_figure(tmp_path: Path) -> None:
    (tmp_path / "function_app.py").write_text("raise RuntimeError('broken')\n")
    with pytest.raises(RuntimeError, match="broken"):
        _run(IMPORT, tmp_path)
