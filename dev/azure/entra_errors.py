"""Entra ID's refusals: one shape, and the AADSTS number that people search for."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from dev.azure.answers import AzureError


def entra_error(status: int, error: str, code: int, message: str) -> AzureError:
    now = datetime.now(UTC)
    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    described = (
        f"AADSTS{code}: {message} Trace ID: {trace} Correlation ID: {correlation} "
        f"Timestamp: {now:%Y-%m-%d %H:%M:%SZ}"
    )
    return AzureError(
        status,
        {
            "error": error,
            "error_description": described,
            "error_codes": [code],
            "timestamp": f"{now:%Y-%m-%d %H:%M:%SZ}",
            "trace_id": trace,
            "correlation_id": correlation,
            "error_uri": f"https://login.microsoftonline.com/error?code={code}",
        },
    )


def invalid_client(code: int, message: str) -> AzureError:
    return entra_error(401, "invalid_client", code, message)
