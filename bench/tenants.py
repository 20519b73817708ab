"""Tenants to be measured: organisations of the simulated Azure, onboarded through the app's own API."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from dev.azure.admin import AzureAdmin
from dev.demo.client import Product, principal_header
from dev.stack import LocalStack

SECRET = "bench"  # of a simulated directory


@dataclass(frozen=True, slots=True)
class Organisation:
    directory_id: str
    client_id: str  # of the application that reads
    reader: str  # its object id, for subscriptions to name


async def put_organisation(azure: AzureAdmin) -> Organisation:
    """A directory of its own with an application, and nothing to read yet."""
    made = Organisation(*(str(uuid.uuid4()) for _ in range(3)))
    reader = {"clientId": made.client_id, "objectId": made.reader, "name": "reader"}
    applications = [{**reader, "secrets": [SECRET]}]
    await azure.put_directory(made.directory_id, name="bench", applications=applications)
    return made


def platform_operator(stack: LocalStack) -> Product:
    """The API as who may onboard tenants sees it."""
    platform = stack.environment()["DRIFT_PLATFORM_DIRECTORY_ID"]
    header = principal_header(platform, str(uuid.uuid4()), "Bench", "Platform.Operator")
    return Product(stack.url, header)


async def create_tenant(operator: Product, organisation: Organisation, *, schedule: str) -> str:
    """Its id."""
    directory = organisation.directory_id
    body = {
        "name": "bench",
        "azureTenantId": directory,
        "admin": {"directoryId": directory, "objectId": str(uuid.uuid4()), "name": "Ada"},
        "connection": {
            "kind": "client_secret",
            "directoryId": directory,
            "clientId": organisation.client_id,
            "secret": SECRET,
        },
        "settings": {"schedule": schedule},
    }
    return str((await operator.request("POST", "/api/tenants", body))["id"])
