"""What the app tells of its work: spans joined across queues, and metrics by tenant. The tables below are all of it.

Nothing is exported, and nothing of OpenTelemetry is imported, until `use` is called (drift/exporters.py does where an
exporter is configured). Before that a span is an empty context and a metric is dropped, at the cost of a function call.

A span or metric carries what its line names and nothing else: ids, counts, names of ours. Never a resource's name or
value, never the text of an error, which may quote either. An error leaves its type.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.metrics import Meter
    from opentelemetry.trace import Tracer

NAME = "drift"  # of the tracer and the meter
Field = str | int | float | bool


class Shape(StrEnum):
    COUNTER = "counter"  # what is added up
    GAUGE = "gauge"  # what is so at the moment
    HISTOGRAM = "histogram"  # how long things take


@dataclass(frozen=True, slots=True)
class Step:
    """A kind of span. A `trigger` is where work begins: Application Insights shows those as requests."""

    name: str
    fields: tuple[str, ...]
    why: str
    trigger: bool = False


@dataclass(frozen=True, slots=True)
class Instrument:
    name: str
    shape: Shape
    unit: str
    dimensions: tuple[str, ...]
    why: str


TENANT = "tenant_id"
SCAN_FIELDS = (TENANT, "scan_id")
PART_FIELDS = (*SCAN_FIELDS, "subscription_id")

TICK = Step(
    "tick", ("started",), "the timer that starts what is due; without it nothing runs", trigger=True
)
SWEEP = Step(
    "sweep",
    (),
    "the daily housekeeping: how long it takes says when it needs to be cut up",
    trigger=True,
)
START = Step(
    "scan.start", SCAN_FIELDS, "a tenant's scan is asked for: the beginning of all that follows"
)
SCAN_TENANT = Step(
    "scan_tenant", SCAN_FIELDS, "a tenant's subscriptions are listed and handed out", trigger=True
)
SCAN_SUBSCRIPTION = Step(
    "scan_subscription",
    (*PART_FIELDS, "status"),
    "one subscription, from lease to findings",
    trigger=True,
)
PAGES = Step("scan.pages", ("source", "rows"), "one source read to its end: where Azure is slow")
CONFIRM = Step(
    "scan.confirm", ("candidates",), "what Resource Graph says, asked of the providers themselves"
)
FINDINGS = Step(
    "scan.findings", ("transitions",), "what differs from the baseline, judged and committed"
)
PUBLISH = Step("notices.publish", (TENANT,), "committed events become notices")
DELIVER_NOTICE = Step(
    "deliver_notice",
    (TENANT, "notice_id"),
    "one notice to one channel: the end of the chain",
    trigger=True,
)
RESOURCE_EVENTS = Step(
    "resource_events",
    (TENANT,),
    "an event of Event Grid, which has no tenant, or the look at one resource that follows it",
    trigger=True,
)
KEEP_TENANT = Step(
    "keep_tenant",
    (TENANT,),
    "a tenant's daily upkeep: whether the night is long enough for all",
    trigger=True,
)
ERASE_TENANT = Step(
    "erase_tenant",
    (TENANT,),
    "one go at the erasure of a deleted tenant: how long tenants take to be gone",
    trigger=True,
)
RUN_JOB = Step(
    "run_job",
    (TENANT, "job"),
    "a backup, a restore, its dry run or an export: how long it holds an instance",
    trigger=True,
)
GIVE_UP = Step(
    "give_up",
    (TENANT,),
    "a message that failed five times: what it was for is told as failed",
    trigger=True,
)
SPANS = (
    TICK,
    SWEEP,
    START,
    SCAN_TENANT,
    SCAN_SUBSCRIPTION,
    PAGES,
    CONFIRM,
    FINDINGS,
    PUBLISH,
    DELIVER_NOTICE,
    RESOURCE_EVENTS,
    KEEP_TENANT,
    ERASE_TENANT,
    RUN_JOB,
    GIVE_UP,
)

SCAN_AGE = Instrument(
    "drift.scan.age",
    Shape.GAUGE,
    "s",
    (TENANT,),
    "since the tenant's newest complete scan: how old the truth is",
)
SCAN_DURATION = Instrument(
    "drift.scan.duration",
    Shape.HISTOGRAM,
    "s",
    (TENANT, "status"),
    "from due to ended: whether scans keep up, and how they end",
)
RESOURCES = Instrument(
    "drift.scan.resources", Shape.GAUGE, "{resource}", (TENANT,), "read by the scan: who is large"
)
CHANGES = Instrument(
    "drift.scan.changes",
    Shape.COUNTER,
    "{resource}",
    (TENANT,),
    "other than at the scan before: who is restless, what cost follows",
)
THROTTLED = Instrument(
    "drift.throttled",
    Shape.COUNTER,
    "s",
    (TENANT, "service"),
    "waited because a service asked to: schedules too close together",
)
AZURE_CALLS = Instrument(
    "drift.azure.calls",
    Shape.COUNTER,
    "{call}",
    (TENANT, "service"),
    "to Resource Graph and ARM, tries included: what uses the tenants' quotas",
)
FOUND = Instrument(
    "drift.findings",
    Shape.GAUGE,
    "{finding}",
    (TENANT, "severity"),
    "to be dealt with after the scan",
)
NOISE = Instrument(
    "drift.findings.noise",
    Shape.GAUGE,
    "1",
    (TENANT,),
    "ignored or accepted, of all findings: the share that people did not want to hear of",
)
NOTICES = Instrument(
    "drift.notices",
    Shape.COUNTER,
    "{notice}",
    (TENANT, "outcome"),
    "delivered or failed: whether anybody is told",
)
ANSWERS = Instrument(
    "drift.http.answers",
    Shape.COUNTER,
    "{answer}",
    ("area", "status"),
    "to callers, by area of the API and HTTP status",
)
INSTRUMENTS = (
    SCAN_AGE,
    SCAN_DURATION,
    RESOURCES,
    CHANGES,
    THROTTLED,
    AZURE_CALLS,
    FOUND,
    NOISE,
    NOTICES,
    ANSWERS,
)


class _Exporting:
    """What `use` was given: the tracer, and an instrument for every line of the table."""

    def __init__(self, tracer: Tracer, meter: Meter) -> None:
        self.tracer = tracer
        self.instruments = {one.name: _create(meter, one) for one in INSTRUMENTS}


_exporting: _Exporting | None = None
_tenant: ContextVar[str] = ContextVar("tenant", default="")


def use(tracer: Tracer, meter: Meter) -> None:
    """From now on spans and metrics go there."""
    global _exporting  # noqa: PLW0603 - one a process, as OpenTelemetry's own providers are
    _exporting = _Exporting(tracer, meter)


def stop() -> None:
    """Nothing is told any more, as before `use`."""
    global _exporting  # noqa: PLW0603
    _exporting = None


def is_on() -> bool:
    """Whether it is worth reading something only to tell it."""
    return _exporting is not None


def about(tenant_id: str) -> None:
    """What this task does from now on is for this tenant: metrics that have the dimension carry it."""
    _tenant.set(tenant_id)


def current_tenant() -> str:
    return _tenant.get()


def record(instrument: Instrument, value: float, **dimensions: Field) -> None:
    """Adds to a counter, sets a gauge, or puts into a histogram."""
    if _exporting is None:
        return
    if TENANT in instrument.dimensions:
        dimensions.setdefault(TENANT, _tenant.get())
    _check(instrument.name, instrument.dimensions, dimensions)
    if set(dimensions) != set(instrument.dimensions):
        raise ValueError(f"{instrument.name} needs {', '.join(instrument.dimensions)}")
    _exporting.instruments[instrument.name](value, dimensions)


class Noted:
    """A span that is open: what is known only later is noted on it."""

    def __init__(self, step: Step, span: Any = None) -> None:
        self._step = step
        self._span = span

    def note(self, **fields: Field) -> None:
        if self._span is not None:
            _check(self._step.name, self._step.fields, fields)
            self._span.set_attributes(fields)


@contextmanager
def span(step: Step, *, parent: str | None = None, **fields: Field) -> Iterator[Noted]:
    """One piece of work. `parent` is the `traceparent` of what ordered it, '' for nothing: then a trace begins here.
    Without it the span belongs to the one around it."""
    if _exporting is None:
        yield Noted(step)
        return
    _check(step.name, step.fields, fields)
    from opentelemetry.trace import SpanKind, Status, StatusCode

    with _exporting.tracer.start_as_current_span(
        step.name,
        context=None if parent is None else _continue(parent),
        kind=SpanKind.CONSUMER if step.trigger else SpanKind.INTERNAL,
        attributes=fields,
        record_exception=False,  # its text may quote a value
        set_status_on_exception=False,
    ) as opened:
        try:
            yield Noted(step, opened)
        except BaseException as error:
            opened.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise


def traceparent() -> str:
    """What a message carries so that its consumer's span joins this one's trace; '' outside of spans."""
    if _exporting is None:
        return ""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent", "")


def _continue(parent: str) -> Context:
    """The context of a `traceparent`. One that is malformed begins a new trace: it never stops the work."""
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({"traceparent": parent}, Context())


def _check(name: str, known: tuple[str, ...], given: Mapping[str, Field]) -> None:
    for field in given:
        if field not in known:
            raise ValueError(f"{name} has no field {field}: add it to the table, with a reason")


def _create(meter: Meter, one: Instrument) -> Any:
    """The call that takes a value and its dimensions."""
    if one.shape is Shape.COUNTER:
        return meter.create_counter(one.name, one.unit, one.why).add
    if one.shape is Shape.GAUGE:
        return meter.create_gauge(one.name, one.unit, one.why).set
    return meter.create_histogram(one.name, one.unit, one.why).record
