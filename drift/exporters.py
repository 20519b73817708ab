"""Where telemetry goes: to Application Insights, to an OTLP receiver, to both, or nowhere. Nothing else decides it.

The packages are large, so they are imported with the first invocation and only where one of the two is configured.
Instrumentations of libraries stay off: they would tell the addresses of requests, which hold names of resources.
The Functions host leaves this worker's logs alone because PYTHON_ENABLE_OPENTELEMETRY says that it exports them itself.
"""

from __future__ import annotations

import logging
import os
import traceback
from typing import TYPE_CHECKING, Any

import telemetry

if TYPE_CHECKING:
    from opentelemetry._logs import LoggerProvider
    from opentelemetry.sdk._logs import LogRecordProcessor
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.trace import SpanProcessor

    from settings import Settings

LOGGERS = (
    "api",
    "drift",
    "tenancy",
    "web",
)  # ours; what libraries log is not known to be free of values
# What Microsoft's distribution does beside exporting, and is told not to: it would call other addresses than ours.
QUIET = {
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",  # statistics about itself, to Microsoft
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",  # settings for itself, from Microsoft
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "azure_functions",  # the name and region of the app
}
LIBRARIES = (
    "azure_sdk",
    "django",
    "fastapi",
    "flask",
    "httpx",
    "psycopg2",
    "requests",
    "urllib",
    "urllib3",
)
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
MOST_PLACES = 30  # of an exception, the innermost


def start(settings: Settings) -> None:
    """Begins to export. Does nothing where no exporter is configured."""
    spans, metrics, logs = _otlp() if settings.otlp_endpoint else ([], [], [])
    if settings.insights_connection:
        _start_azure_monitor(settings.insights_connection, spans, metrics, logs)
    elif settings.otlp_endpoint:
        _start_plain(spans, metrics, logs)
    else:
        return
    from opentelemetry import _logs, trace
    from opentelemetry import metrics as metric_api

    telemetry.use(trace.get_tracer(telemetry.NAME), metric_api.get_meter(telemetry.NAME))
    collect_logs(_logs.get_logger_provider())


def collect_logs(provider: LoggerProvider) -> None:
    """Takes our loggers' records to a provider."""
    handler = RecordHandler(provider)
    for name in LOGGERS:
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).setLevel(logging.INFO)


class RecordHandler(logging.Handler):
    """A record as it was written: its constant message and its fields, and of an exception its type and where it arose.
    The exception's own text stays here, in the host's console: it may quote what it could not take."""

    def __init__(self, provider: LoggerProvider) -> None:
        super().__init__(logging.INFO)
        self._provider = provider

    def emit(self, record: logging.LogRecord) -> None:
        from opentelemetry._logs import LogRecord
        from opentelemetry._logs.severity import SeverityNumber
        from opentelemetry.context import get_current

        number = min(
            24, max(1, record.levelno // 10 * 4 + 1)
        )  # 20, 30, 40: INFO 9, WARN 13, ERROR 17
        self._provider.get_logger(record.name).emit(
            LogRecord(
                timestamp=int(record.created * 1e9),
                context=get_current(),
                severity_number=SeverityNumber(number),
                severity_text=record.levelname,
                body=record.getMessage(),
                attributes=_fields(record),
            )
        )


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    fields = {name: value for name, value in vars(record).items() if name not in _PLAIN}
    tenant_id = telemetry.current_tenant()
    if tenant_id:
        fields.setdefault(telemetry.TENANT, tenant_id)
    if record.exc_info and record.exc_info[0] is not None:
        kind, _, place = record.exc_info
        fields["error"] = kind.__name__
        # Places only: a line of source may have a constant in it that is nobody's business.
        fields["where"] = "\n".join(
            f'File "{one.filename}", line {one.lineno}, in {one.name}'
            for one in traceback.extract_tb(place, limit=-MOST_PLACES)
        )
    return fields


def _otlp() -> tuple[list[SpanProcessor], list[MetricReader], list[LogRecordProcessor]]:
    """Over http/protobuf; the exporters read OTEL_EXPORTER_OTLP_… themselves."""
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    return (
        [BatchSpanProcessor(OTLPSpanExporter())],
        [PeriodicExportingMetricReader(OTLPMetricExporter())],
        [BatchLogRecordProcessor(OTLPLogExporter())],
    )


def _start_plain(
    spans: list[SpanProcessor], metrics: list[MetricReader], logs: list[LogRecordProcessor]
) -> None:
    from opentelemetry import _logs, trace
    from opentelemetry import metrics as metric_api
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON

    resource = Resource.create({"service.name": "azure-drift-detector"})
    tracers = TracerProvider(sampler=ALWAYS_ON, resource=resource)
    for span_processor in spans:
        tracers.add_span_processor(span_processor)
    loggers = LoggerProvider(resource=resource)
    for log_processor in logs:
        loggers.add_log_record_processor(log_processor)
    trace.set_tracer_provider(tracers)
    metric_api.set_meter_provider(MeterProvider(metrics, resource=resource))
    _logs.set_logger_provider(loggers)


def _start_azure_monitor(
    connection: str,
    spans: list[SpanProcessor],
    metrics: list[MetricReader],
    logs: list[LogRecordProcessor],
) -> None:
    """The identity comes from APPLICATIONINSIGHTS_AUTHENTICATION_STRING, which the distribution reads itself."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    from azure.monitor.opentelemetry import configure_azure_monitor

    configure_azure_monitor(
        connection_string=connection,
        span_processors=spans,
        metric_readers=metrics,
        log_record_processors=logs,
        sampling_ratio=1.0,  # the default keeps five spans a second; a trace with holes explains nothing
        disable_offline_storage=True,  # no telemetry on the instance's disk
        enable_live_metrics=False,
        enable_performance_counters=False,
        instrumentation_options={name: {"enabled": False} for name in LIBRARIES},
        logger_name="telemetry",  # nobody logs there: our own handler leaves out what this one would tell
    )
