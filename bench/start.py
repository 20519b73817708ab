"""What the start of an instance costs: importing the deployed function app, with its bytecode, before it serves.

The sources are packed as they are deployed, so that bytecode is there as in Azure; the packages have theirs since they
were installed. Memory is the process's, CPU includes the interpreter's own start.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.figures import Figure
from infra.hooks.package import compile_bytecode, copy_sources

PROJECT = Path(__file__).resolve().parent.parent
RUNS = 5
MOST_SECONDS = 1.0
MOST_MEMORY = 110.0
# Settings as in Azure, of services that are never asked: nothing may reach for them during an import.
SETTINGS = {
    "DRIFT_TABLE_ENDPOINT": "https://nowhere.invalid",
    "DRIFT_QUEUE_ENDPOINT": "https://nowhere.invalid",
    "DRIFT_BLOB_ENDPOINT": "https://nowhere.invalid",
    "DRIFT_KEY_VAULT_URL": "https://nowhere.invalid",
    "DRIFT_PLATFORM_DIRECTORY_ID": "00000000-0000-0000-0000-000000000000",
    "WEBSITE_INSTANCE_ID": "bench",
    "WEBSITE_AUTH_ENABLED": "true",
}
IMPORT = "import function_app"
# What the first HTTP request adds: the FastAPI app behind every HTTP trigger, and the way to the tables.
FIRST_REQUEST = f"{IMPORT}; function_app.http(); function_app.deployment()"
# A process starts with the peak of the one that made it, so a small one stands between this and the measured one.
_LAUNCHER = """
import os, sys
pid = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-B", "-c", sys.argv[1]])
_, status, usage = os.wait4(pid, 0)
sys.stdout.write(f"{usage.ru_utime + usage.ru_stime} {usage.ru_maxrss}")
sys.exit(os.waitstatus_to_exitcode(status))
"""


def measure_start() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder)
        copy_sources(PROJECT, package)
        compile_bytecode(Path(sys.executable), package)
        seconds, memory = _best(IMPORT, package)
        yield Figure("start, import of the app", seconds, "s CPU", MOST_SECONDS, most=True)
        yield Figure("start, memory after the import", memory, "MB", MOST_MEMORY, most=True)
        seconds, memory = _best(FIRST_REQUEST, package)
        yield Figure("start, up to the first HTTP request", seconds, "s CPU")
        yield Figure("start, memory at the first HTTP request", memory, "MB")


def _best(program: str, package: Path) -> tuple[float, float]:
    """The least of some runs: a busy machine can only add."""
    runs = [_run(program, package) for _ in range(RUNS)]
    return min(seconds for seconds, _ in runs), min(memory for _, memory in runs)


def _run(program: str, package: Path) -> tuple[float, float]:
    ended = subprocess.run(
        [sys.executable, "-c", _LAUNCHER, program],
        cwd=package,
        env={**os.environ, **SETTINGS, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode != 0:
        raise RuntimeError(f"the import ended with {ended.returncode}: {ended.stderr}")
    seconds, peak = ended.stdout.split()[-2:]
    return float(seconds), int(peak) / (1024 * 1024 if sys.platform == "darwin" else 1024)
