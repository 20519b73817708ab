"""What goes back over the wire: JSON as Azure sends it, and Azure's error shapes."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from starlette.responses import Response

from dev.azure.document import Json, JsonObject, encode

NO_CACHE = {
    "cache-control": "no-cache",
    "pragma": "no-cache",
    "expires": "-1",
    "x-content-type-options": "nosniff",
    "strict-transport-security": "max-age=31536000; includeSubDomains",
}


class AzureError(Exception):
    """A refusal in the words of Azure; `body` is the whole answer, as each service has its own shape."""

    def __init__(
        self, status: int, body: JsonObject, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(str(body))
        self.status = status
        self.body = body
        self.headers = dict(headers or {})


def arm_error(
    status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> AzureError:
    """`x-ms-failure-cause: gateway` is how Resource Manager marks its own refusals."""
    return AzureError(
        status,
        {"error": {"code": code, "message": message}},
        {"x-ms-failure-cause": "gateway", **(headers or {})},
    )


def json_response(
    value: Json | bytes, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Bytes are JSON already encoded."""
    body = value if isinstance(value, bytes) else encode(value)
    return Response(
        body,
        status,
        {**NO_CACHE, **(headers or {})},
        media_type="application/json; charset=utf-8",
    )


def error_response(error: AzureError) -> Response:
    return json_response(error.body, error.status, {**tracking_headers(), **error.headers})


def tracking_headers() -> dict[str, str]:
    request_id = str(uuid.uuid4())
    return {
        "x-ms-request-id": request_id,
        "x-ms-correlation-request-id": request_id,
        "x-ms-routing-request-id": f"LOCAL:{request_id}",
    }
