"""The lock files are what is installed; they must not fall behind the requirements that people edit."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from dev.locks import LOCKS

PROJECT = Path(__file__).resolve().parents[2]
PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


def pins(file: str) -> set[tuple[str, str]]:
    text = (PROJECT / file).read_text()
    return {(re.sub(r"[-_.]+", "-", name).lower(), version) for name, version in PIN.findall(text)}


@pytest.mark.parametrize(
    ("source", "lock"),
    [
        *((source, lock) for source, (lock, *_) in LOCKS.items()),
        ("requirements.txt", "dev/requirements.lock"),
    ],
)
def test_every_requirement_is_locked_at_its_version(source: str, lock: str) -> None:
    # What is deployed is locked for 3.13 alone.
    older = {("azure-functions", "1.26.0")} if lock == "requirements.lock" else set()
    assert pins(source)
    assert pins(source) - pins(lock) == older


def test_what_is_deployed_is_what_is_tested() -> None:
    assert pins("requirements.lock") - pins("dev/requirements.lock") == set()


@pytest.mark.parametrize("lock", [lock for lock, *_ in LOCKS.values()])
def test_every_locked_package_has_its_hashes(lock: str) -> None:
    entries = (PROJECT / lock).read_text().replace("\\\n", "").splitlines()
    assert [entry for entry in entries if "==" in entry and "--hash=sha256:" not in entry] == []


def test_npm_lock_matches_package_json_and_names_no_place_to_download_from() -> None:
    wanted = json.loads((PROJECT / "package.json").read_text())["dependencies"]
    packages = json.loads((PROJECT / "package-lock.json").read_text())["packages"]
    assert packages[""]["dependencies"] == wanted
    assert packages["node_modules/azurite"]["version"] == wanted["azurite"]
    assert [name for name, package in packages.items() if "resolved" in package] == []
    assert [name for name, package in packages.items() if name and "integrity" not in package] == []
