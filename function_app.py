"""Every trigger of the app. Bodies only hand over: a scan's story is drift/scan.py, access is tenancy/access.py."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from functools import cache

import azure.functions as func

from settings import read_settings
from tenancy.deployment import Deployment

SETTINGS = read_settings()  # stops the start here, with one line, when something is missing
CONNECTION = "AzureWebJobsStorage"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
AREAS = (
    "me",
    "tenants",
    "settings",
    "connection",
    "subscriptions",
    "baselines",
    "scans",
    "findings",
    "export",
    "report",
    "status",
    "resources",
    "notices",
    "channels",
    "maintenance-windows",
    "rules",
    "users",
    "invitations",
    "access-review",
    "audit",
    "backups",
    "usage",
)

logging.getLogger("azure").setLevel(logging.WARNING)  # its clients tell every request otherwise

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@cache
def deployment() -> Deployment:
    if SETTINGS.exports_telemetry:  # large packages: with the first invocation, not with the start
        from drift import exporters

        exporters.start(SETTINGS)
    return Deployment(SETTINGS)


@cache
def http() -> func.AsgiMiddleware:
    from api.app import create_app

    return func.AsgiMiddleware(create_app(deployment))  # type: ignore[no-untyped-call] # no types in it


def add_area(area: str, route: str) -> None:
    """One function an area, so that their cost and errors are seen apart; all reach the one FastAPI app."""

    async def handle(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
        response: func.HttpResponse = await http().handle_async(req, context)
        return response

    handle.__name__ = f"http_{area}"
    app.route(route=route, methods=METHODS)(app.function_name(f"http_{area}")(handle))


for area in AREAS:
    add_area(area, f"api/{area}/{{*rest}}")
add_area("rest", "{*path}")


@app.timer_trigger(arg_name="timer", schedule="0 * * * * *", run_on_startup=False)
async def tick(timer: func.TimerRequest) -> None:
    from drift import schedule

    await schedule.tick(deployment(), now=datetime.now(UTC))


@app.timer_trigger(arg_name="timer", schedule="0 30 2 * * *", run_on_startup=False)
async def sweep(timer: func.TimerRequest) -> None:
    from drift import sweep as daily

    await daily.sweep(deployment(), now=datetime.now(UTC))


@app.queue_trigger(arg_name="msg", queue_name="scan-tenant", connection=CONNECTION)
async def scan_tenant(msg: func.QueueMessage) -> None:
    from drift import consumers

    await consumers.scan_tenant(deployment(), msg.get_body())


@app.queue_trigger(arg_name="msg", queue_name="scan-subscription", connection=CONNECTION)
async def scan_subscription(msg: func.QueueMessage) -> None:
    from drift import consumers

    await consumers.scan_subscription(deployment(), msg.get_body())


@app.queue_trigger(arg_name="msg", queue_name="notices", connection=CONNECTION)
async def deliver_notice(msg: func.QueueMessage) -> None:
    from drift import consumers

    await consumers.deliver_notice(deployment(), msg.get_body())


@app.queue_trigger(arg_name="msg", queue_name="resource-events", connection=CONNECTION)
async def resource_events(msg: func.QueueMessage) -> None:
    from drift import consumers

    await consumers.resource_event(deployment(), msg.get_body())


@app.queue_trigger(arg_name="msg", queue_name="keep-tenant", connection=CONNECTION)
async def keep_tenant(msg: func.QueueMessage) -> None:
    from drift import consumers

    await consumers.keep_tenant(deployment(), msg.get_body())


@app.queue_trigger(arg_name="msg", queue_name="erase-tenant", connection=CONNECTION)
async def erase_tenant(msg: func.QueueMessage) -> None:
    from drift import consumers

    await consumers.erase_tenant(deployment(), msg.get_body())


@app.queue_trigger(arg_name="msg", queue_name="scan-tenant-poison", connection=CONNECTION)
async def scan_tenant_poison(msg: func.QueueMessage) -> None:
    from drift import consumers

    await consumers.fail_scan(deployment(), msg.get_body())


@app.queue_trigger(arg_name="msg", queue_name="scan-subscription-poison", connection=CONNECTION)
async def scan_subscription_poison(msg: func.QueueMessage) -> None:
    from drift import consumers

    await consumers.fail_subscription(deployment(), msg.get_body())


@app.queue_trigger(arg_name="msg", queue_name="notices-poison", connection=CONNECTION)
async def notices_poison(msg: func.QueueMessage) -> None:
    from drift import consumers

    await consumers.fail_notice(deployment(), msg.get_body())


@app.queue_trigger(arg_name="msg", queue_name="resource-events-poison", connection=CONNECTION)
async def resource_events_poison(msg: func.QueueMessage) -> None:
    from drift import consumers

    await consumers.fail_event(deployment(), msg.get_body())


@app.queue_trigger(arg_name="msg", queue_name="keep-tenant-poison", connection=CONNECTION)
async def keep_tenant_poison(msg: func.QueueMessage) -> None:
    from drift import consumers

    await consumers.fail_upkeep(deployment(), msg.get_body())


@app.queue_trigger(arg_name="msg", queue_name="erase-tenant-poison", connection=CONNECTION)
async def erase_tenant_poison(msg: func.QueueMessage) -> None:
    from drift import consumers

    await consumers.fail_erasure(deployment(), msg.get_body())


@app.queue_trigger(arg_name="msg", queue_name="jobs", connection=CONNECTION)
async def run_job(msg: func.QueueMessage) -> None:
    from drift import consumers

    await consumers.run_job(deployment(), msg.get_body())


@app.queue_trigger(arg_name="msg", queue_name="jobs-poison", connection=CONNECTION)
async def jobs_poison(msg: func.QueueMessage) -> None:
    from drift import consumers

    await consumers.fail_job(deployment(), msg.get_body())
