"""The one FastAPI app behind every HTTP trigger: the API and the pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from fastapi import Depends, FastAPI

from api import (
    approvals,
    audit,
    backups,
    baselines,
    channels,
    comments,
    connection,
    erasures,
    export,
    findings,
    maintenance,
    me,
    reference,
    resources,
    rules,
    scans,
    settings,
    status,
    subscriptions,
    tenant_export,
    tenants,
    usage,
    users,
)
from api.access import utc_now
from api.ambiguity import require_unambiguous
from api.contract import describe, operation_id
from api.errors import add_error_handlers
from api.methods import Methods, require_method
from api.middleware import LARGEST_BODY, Guard
from tenancy.deployment import Deployment
from web.errors import respond
from web.pages import PAGES

ROUTERS = (
    reference,
    me,
    erasures,  # before tenants: its list is no tenant's id
    usage,  # before tenants: `usage` is no id of one
    tenants,
    settings,
    connection,
    subscriptions,
    baselines,
    approvals,
    scans,
    findings,
    channels,
    maintenance,
    comments,
    export,
    status,
    resources,
    rules,
    users,
    audit,
    backups,
    tenant_export,
)


def create_app(
    deployment: Callable[[], Deployment], clock: Callable[[], datetime] = utc_now
) -> FastAPI:
    """`deployment` is asked at each request: it is made once and lazily, shared with timers and queues."""
    app = FastAPI(
        title="Azure Drift Detector",
        version="1",
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        dependencies=[Depends(require_method), Depends(require_unambiguous)],
        generate_unique_id_function=operation_id,
        # A path has one spelling. The redirect would also lead to whatever host the request says it was sent to.
        redirect_slashes=False,
        # FastAPI's own would tell what was asked for, and texts of errors. What is told stands in telemetry.py.
        telemetry={
            "auto_configure": False,
            "tracing": False,
            "operation_spans": False,
            "metrics": False,
            "logs": False,
        },
    )
    app.state.deployment = deployment
    app.state.clock = clock
    add_error_handlers(app, respond)
    app.add_middleware(Guard, largest_body=LARGEST_BODY, respond=respond)
    routers = [area.router for area in ROUTERS]
    pages = [area.router for area in PAGES]
    for router in (*routers, *pages):
        app.include_router(router)
    app.state.methods = Methods([*routers, *pages])
    describe(
        app,
        routers,
        development_sign_in=lambda: deployment().settings.development_sign_in,
    )
    return app
