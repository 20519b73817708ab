"""What the start of an instance costs: importing the deployed function app, with its bytecode, before it serves.

The sources are packed as they are deployed, so that bytecode is there as in Azure; the packages have theirs since they
were installed. Memory is the process's, CPU includes the interpreter's own start.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from bench.figures import Figure
from infra.hooks.package import compile_bytecode, copy_sources

PROJECT = Path(__file__).resolve().parent.parent
RUNS = 5
NONE: Mapping[str, str] = MappingProxyType({})
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
    "WEBSITE_AUTH_CLIENT_ID": "00000000-0000-0000-0000-000000000000",
}
IMPORT = "import function_app"
# What the first HTTP request adds: the FastAPI app behind every HTTP trigger, and the way to the tables.
FIRST_REQUEST = f"{IMPORT}; function_app.http(); function_app.deployment()"
# What telemetry adds to that, where it is on: the exporters come with the first invocation, not with the import.
TELEMETRY = {
    "OTLP": {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"},
    "Application Insights": {
        "APPLICATIONINSIGHTS_CONNECTION_STRING": "InstrumentationKey=00000000-0000-0000-0000-000000000000;"
        "IngestionEndpoint=http://127.0.0.1:9/"
    },
}
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
        for name, settings in TELEMETRY.items():
            seconds, memory = _best(IMPORT, package, settings)
            yield Figure(f"start, import with {name}", seconds, "s CPU", MOST_SECONDS, most=True)
            yield Figure(f"start, memory with {name}", memory, "MB", MOST_MEMORY, most=True)
            seconds, memory = _best(FIRST_REQUEST, package, settings)
            yield Figure(f"start, first HTTP request with {name}", seconds, "s CPU")
            yield Figure(f"start, its memory with {name}", memory, "MB")


def _best(program: str, package: Path, settings: Mapping[str, str] = NONE) -> tuple[float, float]:
    """The least of some runs: a busy machine can only add."""
    runs = [_run(program, package, settings) for _ in range(RUNS)]
    return min(seconds for seconds, _ in runs), min(memory for _, memory in runs)


def _run(program: str, package: Path, settings: Mapping[str, str] = NONE) -> tuple[float, float]:
    ended = subprocess.run(
        [sys.executable, "-c", _LAUNCHER, program],
        cwd=package,
        env={**os.environ, **SETTINGS, **settings, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode != 0:
        raise RuntimeError(f"the import ended with {ended.returncode}: {ended.stderr}")
    seconds, peak = ended.stdout.split()[-2:]
    return float(seconds), int(peak) / (1024 * 1024 if sys.platform == "darwin" else 1024)
