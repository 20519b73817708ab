"""The host as a process: how it starts, refuses to start, and stops."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from dev.processes import ProcessError

if TYPE_CHECKING:
    from conftest import StartHost

APP = Path(__file__).parent / "app"
HOST_JSON = '{"version": "2.0"}'


def write_app(folder: Path, code: str) -> Path:
    (folder / "host.json").write_text(HOST_JSON)
    (folder / "function_app.py").write_text(
        f"import azure.functions as func\napp = func.FunctionApp()\n{code}"
    )
    return folder


def test_app_that_does_not_import_stops_the_start(start_host: StartHost, tmp_path: Path) -> None:
    app = write_app(tmp_path, "raise RuntimeError('bad setting')")
    with pytest.raises(ProcessError, match="RuntimeError: bad setting"):
        start_host(app=app)


def test_trigger_that_is_not_served_stops_the_start(start_host: StartHost, tmp_path: Path) -> None:
    code = """
@app.blob_trigger(arg_name="blob", path="a/{name}", connection="AzureWebJobsStorage")
def copy(blob: func.InputStream) -> None: ...
"""
    with pytest.raises(ProcessError, match=r"copy: .*blobTrigger"):
        start_host(app=write_app(tmp_path, code))


def test_missing_connection_is_named(start_host: StartHost, tmp_path: Path) -> None:
    code = """
@app.queue_trigger(arg_name="message", queue_name="work", connection="OtherStorage")
def work(message: func.QueueMessage) -> None: ...
"""
    with pytest.raises(ProcessError, match="the setting OtherStorage is missing"):
        start_host(app=write_app(tmp_path, code))


def test_busy_port_is_answered_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "dev.host", "--app", str(APP), "--port", port]
        answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert answer.returncode == 1
    assert (
        answer.stderr.strip()
        .splitlines()[-1]
        .startswith(f"The Functions host could not start: port {port} is in use")
    )


def test_busy_port_gives_way_to_a_free_one(start_host: StartHost) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        host = start_host(arguments=("--port", str(port), "--or-free-port"))
    assert host.url != f"http://localhost:{port}"
    assert host.get("/api/things").status_code == 200


def test_stop_answers_the_request_that_is_running(start_host: StartHost) -> None:
    host = start_host()
    statuses: list[int] = []
    request = Thread(target=lambda: statuses.append(host.get("/api/slow?seconds=1").status_code))
    request.start()
    host.wait_for("slow")
    assert host.process.stop() == 0
    request.join(10)
    assert statuses == [200]
