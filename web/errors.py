"""What went wrong: a page to somebody who opened one, a sentence to our own script, JSON to programs."""

from __future__ import annotations

from contextlib import suppress

from fastapi import Request
from fastapi.responses import Response

from api.access import deployment_of
from api.errors import Problem, answer
from errors import DriftError
from tenancy.development import with_cookie
from tenancy.principal import Principal, read_principal
from web.rendering import is_partial, render

TITLES = {
    401: "Sign in first",
    403: "That is not yours to do",
    404: "There is nothing here",
    409: "That does not go now",
    412: "Somebody was quicker",
    422: "Something is not right",
    428: "Load the page again",
    429: "Azure asks to wait",
    503: "A service does not answer",
}
OTHERWISE = "Something broke"
PROGRAMS = ("/api/", "/healthz", "/static/")


def respond(request: Request, problem: Problem) -> Response:
    if request.url.path.startswith(PROGRAMS) or not _reads_pages(request):
        return answer(request, problem)
    template = "parts/problem.html" if is_partial(request) else "error.html"
    response = render(
        request,
        template,
        _visitor(request),
        status=problem.status,
        title=TITLES.get(problem.status, OTHERWISE),
        problem=problem,
    )
    response.headers["x-ms-error-code"] = problem.code
    for name, value in problem.headers.items():
        response.headers[name] = value
    return response


def _reads_pages(request: Request) -> bool:
    """Browsers say that they take HTML; programs that ask for no page do not."""
    return is_partial(request) or "text/html" in request.headers.get("accept", "")


def _visitor(request: Request) -> Principal | None:
    """Whom the page greets; it shows nothing else of anybody."""
    settings = deployment_of(request).settings
    with suppress(DriftError):  # an error page is shown to whoever gets one
        return read_principal(with_cookie(request.headers.items(), settings), settings)
    return None
