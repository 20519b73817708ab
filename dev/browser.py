"""A system's own Chromium, for tests of the pages and for screenshots; installed where that is easy, else asked for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "microsoft-edge",
)
ON_MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
PACKAGES = ("chromium", "fonts-liberation")
ARGUMENTS = ("--no-sandbox",)  # it shows our own pages only, and containers run as root
ADVICE = (
    "There is no Chromium on this machine, so the pages were not tried in a browser. "
    "Install one (Debian and Ubuntu: apt-get install chromium) and run this again."
)


def find_browser() -> Path | None:
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found:
        return Path(found)
    return ON_MAC if ON_MAC.exists() else None


def ensure_browser() -> Path | None:
    """Installs one where apt is there and one may; None, and a line that says so, where it cannot."""
    found = find_browser()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        print(
            "→ Installing Chromium by apt, for the tests of the pages", file=sys.stderr, flush=True
        )
        _apt("update", "-q")
        _apt("install", "-q", "-y", "--no-install-recommends", *PACKAGES)
        found = find_browser()
    if found is None:
        print(ADVICE, file=sys.stderr, flush=True)
    return found


def _apt(*words: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(
        ["apt-get", *words],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
