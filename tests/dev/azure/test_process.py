"""The process: announces itself in one line, loads worlds, and ends with its parent."""

from __future__ import annotations

import gzip
import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
DOCUMENT = {
    "id": "/subscriptions/00000000-0000-0000-0000-00000000000a/resourceGroups/g"
    "/providers/Microsoft.Network/routeTables/r",
    "location": "westeurope",
}


def start(directory: Path, *options: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "dev.azure", "--directory", str(directory), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    )


def announced(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    said = json.loads(process.stdout.readline())
    assert isinstance(said, dict)
    return said


def test_the_announcement_names_everything_a_client_needs(tmp_path: Path):
    with start(tmp_path) as process:
        said = announced(process)
        _, errors = process.communicate(timeout=10)  # closes stdin, which ends it
    assert process.returncode == 0
    assert said["url"].startswith("https://localhost:")
    assert said["adminUrl"].startswith("http://localhost:")
    assert said["ca"] == str(tmp_path / "ca.pem")
    assert "BEGIN CERTIFICATE" in Path(said["ca"]).read_text()
    assert set(said["managedIdentity"]) == {"clientId", "objectId", "directoryId"}
    assert len(said["identityHeader"]) >= 16
    assert "SIMULATION" in errors


def test_no_private_key_is_left_in_the_directory(tmp_path: Path):
    with start(tmp_path) as process:
        announced(process)
        process.communicate(timeout=10)
    assert [one.name for one in tmp_path.iterdir()] == ["ca.pem"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it(tmp_path: Path, number: signal.Signals):
    with start(tmp_path) as process:
        announced(process)
        process.send_signal(number)
        assert process.wait(timeout=10) == 0


def test_worlds_are_loaded_before_it_answers(tmp_path: Path):
    plain, zipped = tmp_path / "one.jsonl", tmp_path / "two.jsonl.gz"
    plain.write_text(json.dumps(DOCUMENT) + "\n\n")
    other = DOCUMENT["id"] + "-2"
    zipped.write_bytes(gzip.compress(json.dumps({**DOCUMENT, "id": other}).encode()))
    with start(tmp_path, "--world", str(plain), "--world", str(zipped)) as process:
        url = announced(process)["adminUrl"]
        import httpx2 as httpx

        answer = httpx.get(f"{url}/resources?subscription=00000000-0000-0000-0000-00000000000a")
        process.communicate(timeout=10)
    assert [one["id"] for one in answer.json()["value"][1:]] == [DOCUMENT["id"], other]


def test_a_busy_port_ends_it_with_the_port_named(tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with start(tmp_path, "--port", str(port)) as process:
            _, errors = process.communicate(timeout=10)
    assert process.returncode == 1
    assert f"port {port}" in errors
    assert "Traceback" not in errors


def test_a_world_that_cannot_be_read_ends_it_with_the_reason(tmp_path: Path):
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"name": "no id"}\n')
    with start(tmp_path, "--world", str(bad)) as process:
        _, errors = process.communicate(timeout=10)
    assert process.returncode == 1
    assert "bad.jsonl: line 1: id:" in errors
    assert "Traceback" not in errors
