"""From values to a page: the templates, what every page has around it, and the headers that only pages have.

Everything is escaped unless a template says otherwise, and none does: names, tags and values of resources are whatever
somebody in Azure typed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import Request
from fastapi.responses import HTMLResponse, Response

from api.access import deployment_of, now_of
from tenancy.access import TenantContext
from tenancy.principal import Principal
from tenancy.roles import Permission, Role, allows
from tenancy.tenants import Tenant, TenantStatus
from web import charts, wording
from web.assets import address

if TYPE_CHECKING:
    from jinja2 import Environment

# Nothing but our own files runs or is shown, and nothing inline: what slips through escaping does not run either.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
# htmx without evaluation, inline style, and history in local storage (tenants share a browser); errors are shown.
HTMX = (
    '{"allowEval": false, "includeIndicatorStyles": false, "historyEnabled": false, "selfRequestsOnly": true, '
    '"responseHandling": [{"code": "204", "swap": false}, {"code": "...", "swap": true}]}'
)


@dataclass(frozen=True, slots=True)
class Frame:
    """What is around every page: who is signed in, where, and in which mode the app runs."""

    now: datetime
    path: str
    development: bool
    name: str = ""  # of who is signed in
    platform: bool = False  # a platform operator
    tenant: Tenant | None = None
    role: Role | None = None

    @property
    def home(self) -> str:
        """Where the tenant's pages begin."""
        return f"/t/{self.tenant.tenant_id}" if self.tenant else ""

    @property
    def inside(self) -> bool:
        """A platform operator in somebody's tenant."""
        return self.role is Role.PLATFORM

    @property
    def suspended(self) -> bool:
        return self.tenant is not None and self.tenant.status is TenantStatus.SUSPENDED

    def may(self, permission: str) -> bool:
        return self.role is not None and allows(self.role, Permission(permission))


def frame_of(request: Request, who: TenantContext | Principal | None) -> Frame:
    settings = deployment_of(request).settings
    now, path = now_of(request), request.url.path
    development = settings.development_sign_in
    if isinstance(who, TenantContext):
        inside = who.role is Role.PLATFORM
        return Frame(now, path, development, who.actor.name, inside, who.tenant, who.role)
    if who is None:
        return Frame(now, path, development)
    return Frame(now, path, development, who.name, who.is_platform_operator(settings))


def render(
    request: Request,
    template: str,
    who: TenantContext | Principal | None,
    *,
    status: int = 200,
    **values: Any,
) -> HTMLResponse:
    """A page, or the part of one that a script asked for."""
    frame = frame_of(request, who)
    html = (
        environment()
        .get_template(template)
        .render(frame=frame, now=frame.now, is_part=is_partial(request), **values)
    )
    headers = {"Content-Security-Policy": POLICY, "Vary": "HX-Request"}
    return HTMLResponse(html, status, headers=headers)


def go_to(path: str) -> Response:
    """After a change: the script that sent it loads this page."""
    return Response(status_code=200, headers={"HX-Redirect": path})


def go_to_part(request: Request, path: str, part: str) -> Response:
    """To a part of a page. On that page itself a browser would only scroll, and show what was before the change: there
    it is told to load the page anew as well."""
    response = go_to(f"{path}#{part}")
    if request.headers.get("hx-current-url", "").partition("#")[0].endswith(path):
        response.headers["HX-Refresh"] = "true"
    return response


def is_partial(request: Request) -> bool:
    """Whether a script of ours asks, and not somebody who opens a link."""
    return request.headers.get("hx-request") == "true"


@cache
def environment() -> Environment:
    """Jinja2 is imported with the first page: an app that starts for the API or for a queue does without."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= wording.FILTERS
    made.globals |= {"asset": address, "htmx_config": HTMX, "charts": charts, **wording.WORDS}
    return made
