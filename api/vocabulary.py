"""The words of the API's description (api/contract.py puts them where they belong): what it is about, its areas, and
the headers, parameters, problems and ways to sign in that many routes share."""

from __future__ import annotations

from typing import Any, TypeAlias

from api.examples import ETAG, GUID
from api.shapes import GUID_PATTERN

Json: TypeAlias = dict[str, Any]
PROBLEMS = "application/problem+json"

DESCRIPTION = """\
Watches Azure subscriptions and reports every difference from a baseline that a person would call drift.

**Tenant.** A request is about one tenant: the caller's own. Who belongs to several names one in `X-Tenant-Id`.

**Changes.** POST, PUT, PATCH and DELETE need the header `X-Tenant-Id` or `X-Requested-With`, which a form on a foreign
page cannot send. What several people edit has an ETag: send the one that you read in `If-Match`.

**Lists** are `{"value": [...], "nextLink": "..."}`; the last page has no `nextLink`.

**Times** are RFC 3339 with a zone. A query parameter or a member of a body that is not in this description is refused.

**Refusals** are `application/problem+json` (RFC 9457) with a stable `code`, which is also in `x-ms-error-code`.
"""

TAGS = {
    "me": "Who is signed in, and whether the app is alive.",
    "tenants": "Tenants of this deployment. The platform operator's; to everybody else they do not exist.",
    "settings": "A tenant's schedule, scope, severities that notify, and retention.",
    "connection": "How a tenant's Azure is read. The credential goes to Key Vault and never comes back.",
    "subscriptions": "What the connection sees, and which of it is monitored.",
    "baselines": "What the configuration should be: versions, of which one is active.",
    "approvals": "What waits for a second person, where a tenant wants that.",
    "scans": "Runs over the monitored subscriptions, and what each could read.",
    "findings": "What drifted, who did it, and what people decided about it.",
    "channels": "Where notices go outside the product, what each is told and when, and how that went.",
    "reports": "The same as files: for people, spreadsheets, code scanning and pipelines.",
    "resources": "The inventory, now or at a time before, and how each resource changed.",
    "rules": "What a tenant does not want to hear about, or wants to hear louder.",
    "users": "Who may enter a tenant, with which role, and invitations.",
    "audit": "Who did what in a tenant.",
    "backups": "Backups of a tenant, and the way back to one of them.",
    "export": "What leaves the product: everything of a tenant in open formats.",
    "usage": "What a tenant used, by day, and what it may use.",
}

PROBLEM: Json = {
    "type": "object",
    "description": "RFC 9457. `code` is stable; `detail` is for people.",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "const": "about:blank"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string", "description": "what went wrong and what to do"},
        "errors": {
            "type": "array",
            "description": "what is wrong in the request",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
        "scope": {"type": "string", "description": "what could not be read in Azure"},
        "permission": {"type": "string", "description": "the action that the connection lacks"},
    },
}

PARAMETERS: Json = {
    "X-Tenant-Id": {
        "name": "X-Tenant-Id",
        "in": "header",
        "required": False,
        "description": "which tenant; needed by who belongs to several",
        "schema": {"type": "string", "pattern": GUID_PATTERN},
        "example": GUID,
    },
    "X-Requested-With": {
        "name": "X-Requested-With",
        "in": "header",
        "required": False,
        "description": "any value; needed for a change without X-Tenant-Id",
        "schema": {"type": "string", "minLength": 1},
        "example": "curl",
    },
    "If-Match": {
        "name": "If-Match",
        "in": "header",
        "required": True,
        "description": "the ETag of what you read",
        "schema": {"type": "string", "minLength": 1},
        "example": ETAG,
    },
}

# What a parameter is, where the route does not say it itself.
PARAMETER_MEANINGS = {
    "actor": "of this one only: the whole of `actor` in an entry",
    "after": "the id behind which to go on",
    "approval_id": "id of the request",
    "backup_id": "id of the backup",
    "baseline_id": "id of the baseline version",
    "channel_id": "id of the channel",
    "continuationToken": "from `nextLink`; good for a day, for this list and these filters only",
    "delivery_id": "id of the delivery",
    "export_id": "id of the export",
    "finding_id": "id of the finding",
    "group": "of this resource group only",
    "from": "not before this time",
    "invitation_id": "id of the invitation",
    "If-Match": "the ETag of what you read, where there is one",
    "If-None-Match": "a star: only if there is none yet",
    "incident": "of this incident only: what one operation in Azure caused",
    "key": "key of the resource",
    "maxpagesize": "at most so many at once",
    "part": "number of the part, from 1",
    "resource": "part of the resource id",
    "rule_id": "id of the rule",
    "scan_id": "id of the scan",
    "severity": "one of these; may be repeated",
    "since": "last seen at this time or later",
    "status": "one of these; may be repeated",
    "subscription": "of this subscription only",
    "subscriptionId": "of this subscription only",
    "subscription_id": "id of the Azure subscription",
    "text": "part of the resource id or of the path of the worst change",
    "target": "about this only: the whole of `target` in an entry",
    "tenant_id": "id of the tenant",
    "to": "not after this time",
    "type": "of this resource type only",
    "user_id": "id of the user",
    "window_id": "id of the maintenance window",
}

HEADERS: Json = {
    "x-ms-request-id": ("names this answer in the log", GUID, {"format": "uuid"}),
    "x-ms-error-code": ("the `code` of the problem", "invalid", {}),
    "ETag": ("the version of what is in the answer, for If-Match", ETAG, {}),
    "Location": ("where the new one is", f"/api/tenants/{GUID}", {"format": "uri-reference"}),
    "Retry-After": ("seconds to wait", "5", {"pattern": "^[0-9]+$"}),
    "WWW-Authenticate": ("how to sign in", "Bearer", {}),
}

SIGN_IN: Json = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A token of Entra ID for this app. App Service authentication checks it.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "AppServiceAuthSession",
        "description": "The session of App Service authentication, after /.auth/login/aad in a browser.",
    },
}
DEVELOPMENT_SIGN_IN: Json = {
    "development": {
        "type": "apiKey",
        "in": "header",
        "name": "X-MS-CLIENT-PRINCIPAL",
        "description": "Development only, on this machine: the principal, as App Service would send it.",
    }
}
