"""What reaches Application Insights has the shape that the alerts and the workbook ask for, and no text of an error."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[2]
KEY = "11111111-2222-4333-8444-555555555555"
WORK = """
import logging
import telemetry
from drift import exporters
from settings import read_settings
exporters.start(read_settings())
logger = logging.getLogger("drift.schedule")
telemetry.about("t-1")
with telemetry.span(telemetry.TICK, parent="") as ticked:
    ticked.note(started=2)
    with telemetry.span(telemetry.PAGES, source="locks"):
        logger.info("tick finished", extra={"started": 2})
        logging.getLogger("azure").warning("of a library")
try:
    with telemetry.span(telemetry.DELIVER_NOTICE, parent="", tenant_id="t-1", notice_id="n"):
        raise RuntimeError("hunter2")
except RuntimeError:
    logger.exception("request failed", extra={"request_id": "r"})
telemetry.record(telemetry.SCAN_AGE, 90)
telemetry.record(telemetry.ANSWERS, 1, area="me", status=200)
telemetry.record(telemetry.ANSWERS, 1, area="me", status=200)
"""
LOCAL = {
    "DRIFT_STORAGE_CONNECTION_STRING": "UseDevelopmentStorage=true",
    "DRIFT_KEY_VAULT_URL": "https://localhost:1",
    "DRIFT_PLATFORM_DIRECTORY_ID": "11111111-1111-4111-8111-111111111111",
}


@pytest.fixture
def insights() -> Iterator[tuple[str, list[dict[str, Any]], list[str]]]:
    """Where it listens, the envelopes that came, and the paths that were asked for."""
    envelopes: list[dict[str, Any]] = []
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            found = json.loads(body)
            paths.append(self.path)
            envelopes.extend(found)
            answer = json.dumps(
                {"itemsReceived": len(found), "itemsAccepted": len(found), "errors": []}
            ).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", envelopes, paths
        server.shutdown()
        thread.join()


def of(envelopes: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [one["data"]["baseData"] for one in envelopes if one["data"]["baseType"] == kind]


def test_application_insights_gets_what_the_queries_ask_for(insights: Any, tmp_path: Path) -> None:
    url, envelopes, paths = insights
    connection = f"InstrumentationKey={KEY};IngestionEndpoint={url}"
    ended = subprocess.run(
        [sys.executable, "-c", WORK],
        cwd=PROJECT,
        env={
            **os.environ,
            **LOCAL,
            "APPLICATIONINSIGHTS_CONNECTION_STRING": connection,
            "TMPDIR": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    requests = {one["name"]: one for one in of(envelopes, "RequestData")}
    assert requests["tick"]["success"] is True
    assert requests["tick"]["properties"]["started"] == "2"
    assert requests["deliver_notice"]["success"] is False
    assert [one["name"] for one in of(envelopes, "RemoteDependencyData")] == ["scan.pages"]
    messages = {one["message"]: one["properties"] for one in of(envelopes, "MessageData")}
    assert set(messages) == {"tick finished", "request failed"}  # and nothing of a library
    assert messages["tick finished"]["started"] == "2"
    assert messages["tick finished"]["tenant_id"] == "t-1"
    failed = messages["request failed"]
    assert (failed["error"], failed["request_id"]) == ("RuntimeError", "r")
    assert 'File "<string>"' in failed["where"]
    metrics = {
        metric["name"]: (metric["value"], one["properties"])
        for one in of(envelopes, "MetricData")
        for metric in one["metrics"]
    }
    assert metrics["drift.scan.age"] == (90, {"tenant_id": "t-1"})
    assert metrics["drift.http.answers"] == (2, {"area": "me", "status": "200"})
    assert "hunter2" not in json.dumps(envelopes)
    assert of(envelopes, "ExceptionData") == []
    assert {path.rpartition("/")[2] for path in paths} == {"track"}
    assert list(tmp_path.rglob("*")) == []  # nothing is kept on the disk


def test_nothing_is_imported_where_nothing_is_configured() -> None:
    code = (
        "import sys; from drift import exporters; from settings import read_settings; "
        "exporters.start(read_settings()); "
        "print([name for name in sys.modules if name.startswith(('opentelemetry', 'azure.monitor'))])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        env={**os.environ, **LOCAL},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.strip() == "[]"
