"""Sign-ins as App Service authentication passes them on, and an app that believes them."""

from __future__ import annotations

import base64
import json
from typing import Any

from settings import read_settings

TID = "11111111-1111-4111-8111-111111111111"
OID = "22222222-2222-4222-8222-222222222222"
BOTH = (("tid", TID), ("oid", OID))
LONG_TID = "http://schemas.microsoft.com/identity/claims/tenantid"
LONG_OID = "http://schemas.microsoft.com/identity/claims/objectidentifier"
SETTINGS = read_settings(
    {
        "DRIFT_STORAGE_CONNECTION_STRING": "x",
        "DRIFT_KEY_VAULT_URL": "https://vault.example",
        "DRIFT_PLATFORM_DIRECTORY_ID": TID,
        "WEBSITE_AUTH_ENABLED": "True",
    }
)


def header(*claims: tuple[str, str], **members: Any) -> tuple[str, str]:
    document = {"auth_typ": "aad", "claims": [{"typ": t, "val": v} for t, v in claims], **members}
    return ("X-MS-CLIENT-PRINCIPAL", base64.b64encode(json.dumps(document).encode()).decode())
