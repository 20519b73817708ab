"""`dev.py lock`: renews the lock files from the requirements, for every platform and supported Python at once."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from dev.installation import RUN_NPM

PROJECT = Path(__file__).resolve().parent.parent
OPTIONS = ("--generate-hashes", "--no-annotate", "--no-header", "--quiet")
LOCKS = {
    "dev/requirements.txt": ("dev/requirements.lock", "--universal", "--python-version", "3.11"),
    # What is deployed: the versions that are tested, for the one platform that Azure runs.
    "requirements.txt": (
        "requirements.lock",
        "--constraints",
        "dev/requirements.lock",
        "--python-version",
        "3.13",
        "--python-platform",
        "x86_64-manylinux_2_28",
    ),
    # It declares Python 3.13, and is installed by itself on every version.
    "dev/requirements-runtime.in": (
        "dev/requirements-runtime.lock",
        "--no-deps",
        "--python-version",
        "3.13",
    ),
    "bench/requirements.txt": (
        "bench/requirements.lock",
        "--universal",
        "--python-version",
        "3.11",
    ),
    "dev/mutation/requirements.txt": (
        "dev/mutation/requirements.lock",
        "--universal",
        "--python-version",
        "3.11",
    ),
}


def main() -> int:
    options = _parse()
    upgrade = ("--upgrade",) if options.upgrade else ()
    for source, (lock, *how) in LOCKS.items():
        print(f"→ {lock}", file=sys.stderr, flush=True)
        command = [sys.executable, "-m", "uv", "pip", "compile", source, "--output-file", lock]
        subprocess.run([*command, *OPTIONS, *how, *upgrade], cwd=PROJECT, check=True)
    print("→ package-lock.json", file=sys.stderr, flush=True)
    # Without download addresses the lock serves every mirror; the hashes are what is checked.
    npm = (
        "install",
        "--package-lock-only",
        "--omit-lockfile-registry-resolved",
        "--ignore-scripts",
    )
    subprocess.run(
        [sys.executable, "-c", RUN_NPM, *npm, "--no-audit", "--no-fund"], cwd=PROJECT, check=True
    )
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.py lock", description="Renews the lock files.")
    parser.add_argument(
        "--upgrade", action="store_true", help="newest versions of what is not pinned by itself"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
