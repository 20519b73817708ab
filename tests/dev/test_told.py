"""The whole demo with telemetry going to a receiver of its own: what the tables name arrives, and no planted value."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from azure.data.tables.aio import TableServiceClient
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import telemetry
from dev.azure.admin import AzureAdmin
from dev.demo.organisations import CONTOSO, FABRIKAM
from dev.demo.receiver import Receiver as WebhookReceiver
from dev.demo.story import sign_in, tell_story
from dev.stack import LocalStack
from drift.engine.packing import unpack
from tenancy.rows import from_edm, join_binary

SHAPES = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
}
VALUE, PASSWORD, TAG, SPELL = "planted-value", "planted-Passw0rd!", "planted-tag", "planted-name"


@dataclass
class Receiver:
    """An OTLP receiver: it keeps what it is sent."""

    url: str = ""
    bodies: list[tuple[str, bytes]] = field(default_factory=list)

    def of(self, path: str) -> list[Any]:
        found = []
        for there, body in list(self.bodies):
            if there == path:
                message = SHAPES[path]()
                message.ParseFromString(body)
                found.append(message)
        return found

    def spans(self) -> list[Any]:
        return [
            span
            for message in self.of("/v1/traces")
            for resource in message.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def metrics(self) -> set[str]:
        return {
            metric.name
            for message in self.of("/v1/metrics")
            for resource in message.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def messages(self) -> set[str]:
        return {
            record.body.string_value
            for message in self.of("/v1/logs")
            for resource in message.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        }


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    kept = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            kept.bodies.append((self.path, body))
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        kept.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield kept
        server.shutdown()
        thread.join()


async def stored(connection: str) -> list[str]:
    """Every row of every table as text, packs unpacked."""
    found = []
    async with TableServiceClient.from_connection_string(connection) as service:
        async for table in service.list_tables():
            async for entity in service.get_table_client(table.name).list_entities():
                values = {name: from_edm(value) for name, value in entity.items()}
                if table.name == "pack" and entity["RowKey"].startswith("p."):
                    values["documents"] = [one.body for one in unpack(join_binary(values))]
                found.append(str(values))
    return found


async def live(stack: LocalStack) -> list[str]:
    """The demo, then values and secrets planted in contoso's Azure, scanned twice, one of them refused by Azure."""
    directory = stack.environment()["DRIFT_PLATFORM_DIRECTORY_ID"]
    with WebhookReceiver() as receiver:
        outcome = await tell_story(stack.url, stack.admin_url, directory, receiver, lambda _: None)
    assert not outcome.missed
    tenant_id = outcome.reports[0].tenant_id
    async with AzureAdmin(stack.admin_url) as azure:
        subscription_id = CONTOSO.subscriptions[0][0]
        resource = next(
            one
            for one in await azure.resources(subscription_id)
            if one["type"].lower() == "microsoft.storage/storageaccounts"
        )
        planted = {
            "/properties/networkAcls": {"defaultAction": VALUE},
            "/properties/adminPassword": PASSWORD,
            "/tags": {"team": TAG},
        }
        await azure.edit(str(resource["id"]), set=planted, actor={"changedBy": SPELL})
        async with sign_in(stack.url, CONTOSO, tenant_id) as product:
            assert (await product.scan())["status"] == "complete"
            match = {"method": "GET", "path": f"^/subscriptions/{subscription_id}\\?"}
            match["directory"] = CONTOSO.directory_id
            await azure.add_fault(match=match, status=429, headers={"Retry-After": "1"}, times=1)
            await azure.add_fault(match=match, status=403)
            assert (await product.scan())["status"] == "incomplete"
    return await stored(stack.cloud.storage_connection_string)


def test_demo_tells_what_the_tables_name_and_no_planted_value(
    receiver: Receiver, tmp_path: Path
) -> None:
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "OTEL_BLRP_SCHEDULE_DELAY": "200",
        "PYTHON_ENABLE_OPENTELEMETRY": "true",
    }
    with LocalStack(settings=settings, logs=tmp_path) as stack:
        rows = asyncio.run(live(stack))
        key = stack.cloud.storage_connection_string.partition("AccountKey=")[2].partition(";")[0]
        header = stack.cloud.simulator.identity_header
    spans, names = receiver.spans(), {span.name for span in receiver.spans()}
    assert names <= {one.name for one in telemetry.SPANS}
    assert names >= {
        "scan.start",
        "scan_tenant",
        "scan_subscription",
        "scan.pages",
        "scan.findings",
    }
    assert names >= {"scan.confirm", "notices.publish", "deliver_notice"}
    notice = next(span for span in spans if span.name == "deliver_notice")
    trace = {span.name for span in spans if span.trace_id == notice.trace_id}
    assert trace >= {"scan.start", "scan_tenant", "scan_subscription", "notices.publish"}
    assert receiver.metrics() <= {one.name for one in telemetry.INSTRUMENTS}
    assert receiver.metrics() >= {
        "drift.scan.duration",
        "drift.scan.resources",
        "drift.azure.calls",
        "drift.findings",
        "drift.findings.noise",
        "drift.notices",
        "drift.http.answers",
        "drift.throttled",
    }
    assert receiver.messages() >= {"throttled"}
    secrets = [CONTOSO.secret, FABRIKAM.secret, PASSWORD, key, header, "eyJ"]
    console = (tmp_path / "host.log").read_text()
    told = b"".join(body for _, body in receiver.bodies)
    assert [one for one in (*secrets, VALUE, TAG, SPELL) if one.encode() in told] == []
    assert [one for one in (*secrets, VALUE, TAG, SPELL) if one in console] == []
    assert [one for one in secrets if any(one in row for row in rows)] == []
    assert any(VALUE in row for row in rows)  # the search does see what is there
