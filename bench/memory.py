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
_APART = 1_000  # numbers that the work's own copies do not have
# A process starts with the peak of the one that made it, so a small one stands between this and the measured one.
_LAUNCHER = """
import os, sys
pid = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, *sys.argv[1:]])
_, status, usage = os.wait4(pid, 0)
sys.stderr.write(f"{usage.ru_maxrss}\\n")
sys.exit(os.waitstatus_to_exitcode(status))
"""


def measure_memory(work: Work, *, copies: int) -> Figure:
    """Peak resident memory while so many times the work's documents are streamed from two files."""
    with tempfile.TemporaryDirectory() as folder:
        for name, documents in (("before", work.before), ("after", work.after)):
            with (Path(folder) / name).open("wb") as file:
                for number in range(_APART, _APART + copies):
                    file.writelines(copy_document(one, number) + b"\n" for one in documents)
        peak = _run(Path(folder))
    count = copies * len(work.before)
    return Figure(f"peak memory, {count} documents", peak, "MB", 250, most=True)


def _run(folder: Path) -> float:
    compare = ["-m", "drift", "compare", "before", "after", "--format", "json"]
    ended = subprocess.run(
        [sys.executable, "-c", _LAUNCHER, *compare],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    if ended.returncode != DRIFT:
        raise RuntimeError(f"the command ended with {ended.returncode}: {ended.stderr.decode()}")
    return int(ended.stderr) / (1024 * 1024 if sys.platform == "darwin" else 1024)
