"""The memory that the offline command takes for two large inventories, measured from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.documents import copy_document
from bench.figures import Figure
from bench.workload import Work

PROJECT = Path(__file__).resolve().parent.parent
DRIFT = 2  # the command's exit code


def measure_memory(work: Work, *, copies: int) -> Figure:
    """Peak resident memory while so many times the work's documents are streamed from two files."""
    with tempfile.TemporaryDirectory() as folder:
        for name, documents in (("before", work.before), ("after", work.after)):
            with (Path(folder) / name).open("wb") as file:
                for number in range(copies):
                    file.writelines(copy_document(one, number) + b"\n" for one in documents)
        peak = _run(Path(folder))
    count = copies * len(work.before)
    return Figure(f"peak memory, {count} documents", peak, "MB", 250, most=True)


def _run(folder: Path) -> float:
    command = [sys.executable, "-m", "drift", "compare", "before", "after", "--format", "json"]
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != DRIFT:
        raise RuntimeError(f"the command ended with {process.returncode}")
    return usage.ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)
