"""The app registration in Entra ID: people sign in to it, programs call its API, customers consent to it.

`prepare` runs before the infrastructure, which needs the client id. `finish` runs after it and adds what only then
exists: the address, and the identities that prove the app instead of a secret. Both may run any number of times: what
is right already is left alone, what somebody added (roles, redirect URIs) stays.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from infra.hooks.commands import (
    CloudAddresses,
    Graph,
    GraphError,
    HookError,
    Json,
    read_cloud,
    remember,
    tell,
    until_replicated,
)
from settings import EXCHANGES, PUBLIC_EXCHANGE

WANTED: Json = json.loads((Path(__file__).parent / "application.json").read_text(encoding="utf-8"))
OPERATOR = next(role for role in WANTED["roles"] if role["value"] == "Platform.Operator")
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
CALLBACK = "/.auth/login/aad/callback"
AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"  # `az rest` may call the API in the name of whoever signed in


def prepare(environment: Mapping[str, str]) -> None:
    if not environment.get("DRIFT_BUDGET_START"):
        remember("DRIFT_BUDGET_START", datetime.now(UTC).strftime("%Y-%m-01"))
    if _skipped(environment):
        tell(f"Registration: {_own_client_id(environment)} is yours; it is not touched.")
        return
    graph = Graph(read_cloud().graph)
    application = find_application(graph, environment) or create_application(graph, environment)
    bring_up_to_date(graph, application, environment)
    ensure_service_principal(graph, application["appId"])
    remember("DRIFT_APP_CLIENT_ID", application["appId"])
    remember("DRIFT_IDENTIFIER_URI", _identifier_uri(application, environment))
    tell(f"Registration: {application['displayName']} ({application['appId']}) is ready.")


def finish(environment: Mapping[str, str]) -> None:
    cloud = read_cloud()
    if _skipped(environment):
        tell(_what_yours_needs(environment, cloud))
        return
    graph = Graph(cloud.graph)
    application = find_application(graph, environment)
    if application is None:
        raise HookError(
            "There is no app registration yet: run azd provision, which makes it first."
        )
    add_redirect_uri(graph, application, _required(environment, "DRIFT_URL"))
    for name, subject in _subjects(environment).items():
        ensure_federated_credential(graph, application["id"], name, subject, environment, cloud)
    principal = ensure_service_principal(graph, application["appId"])
    if environment.get("AZURE_PRINCIPAL_ID"):
        assign_operator(graph, principal["id"], environment["AZURE_PRINCIPAL_ID"])
    tell(
        f"Registration: {application['displayName']} trusts the deployment at {environment['DRIFT_URL']}.\n"
        f"  Customers consent at {cloud.login}/organizations/adminconsent?client_id={application['appId']}"
    )


def find_application(graph: Graph, environment: Mapping[str, str]) -> Json | None:
    """By the client id that azd remembers, or else by the tag: another clone, another machine."""
    client_id = environment.get("DRIFT_APP_CLIENT_ID")
    query = f"appId eq '{client_id}'" if client_id else f"tags/any(t:t eq '{_tag(environment)}')"
    found = graph.list(f"/applications?$filter={query}")
    if len(found) > 1:
        ids = ", ".join(one["appId"] for one in found)
        raise HookError(
            f"Several app registrations are tagged {_tag(environment)}: {ids}. "
            "Choose one: azd env set DRIFT_APP_CLIENT_ID ID."
        )
    if client_id and not found:
        raise HookError(
            f"There is no app registration {client_id} in this directory. If it was deleted, "
            'azd env set DRIFT_APP_CLIENT_ID "" makes a new one; if it is in another directory, az login there.'
        )
    return found[0] if found else None


def create_application(graph: Graph, environment: Mapping[str, str]) -> Json:
    body = {
        "displayName": f"Azure Drift Detector ({_required(environment, 'AZURE_ENV_NAME')})",
        "signInAudience": "AzureADMultipleOrgs",
        "tags": [WANTED["tag"], _tag(environment)],
        "api": {"requestedAccessTokenVersion": 2, "oauth2PermissionScopes": [WANTED["scope"]]},
        "appRoles": WANTED["roles"],
        "web": {"implicitGrantSettings": {"enableIdTokenIssuance": True}},
    }
    created = graph.post("/applications", body)
    return until_replicated(lambda: graph.get(f"/applications/{created['id']}"))


def bring_up_to_date(graph: Graph, application: Json, environment: Mapping[str, str]) -> None:
    """Changes what differs, and only that."""
    api, web = application.get("api") or {}, application.get("web") or {}
    change: Json = {}
    if application.get("signInAudience") != "AzureADMultipleOrgs":
        change["signInAudience"] = "AzureADMultipleOrgs"
    roles = _completed(application.get("appRoles") or [], WANTED["roles"])
    if roles != application.get("appRoles"):
        change["appRoles"] = roles
    scopes = _completed(api.get("oauth2PermissionScopes") or [], [WANTED["scope"]])
    if (scopes, 2) != (api.get("oauth2PermissionScopes"), api.get("requestedAccessTokenVersion")):
        change["api"] = {"requestedAccessTokenVersion": 2, "oauth2PermissionScopes": scopes}
    uri = _identifier_uri(application, environment)
    if uri not in application.get("identifierUris", ()):
        change["identifierUris"] = [*application.get("identifierUris", ()), uri]
    if not (web.get("implicitGrantSettings") or {}).get("enableIdTokenIssuance"):
        change["web"] = {"implicitGrantSettings": {"enableIdTokenIssuance": True}}
    if change:
        until_replicated(lambda: graph.patch(f"/applications/{application['id']}", change))
    known = api.get("preAuthorizedApplications") or []
    if AZURE_CLI not in {one["appId"] for one in known}:  # by itself: the scope must be there first
        scope = next(one["id"] for one in scopes if one["value"] == WANTED["scope"]["value"])
        added = {"appId": AZURE_CLI, "delegatedPermissionIds": [scope]}
        change = {"api": {"preAuthorizedApplications": [*known, added]}}
        until_replicated(lambda: graph.patch(f"/applications/{application['id']}", change))


def ensure_service_principal(graph: Graph, client_id: str) -> Json:
    """Without it nobody of the own directory can sign in or be given a role."""
    query = f"/servicePrincipals?$filter=appId eq '{client_id}'"
    found = graph.list(query)
    if found:
        return found[0]
    try:
        made = until_replicated(lambda: graph.post("/servicePrincipals", {"appId": client_id}))
    except GraphError as error:  # made a moment ago, and the list above did not show it yet
        if error.code != "Request_MultipleObjectsWithSameKeyValue":
            raise
        made = until_replicated(lambda: _first(graph.list(query)))
    return made


def add_redirect_uri(graph: Graph, application: Json, url: str) -> None:
    """Where Entra ID may send people after sign-in. Others, of custom domains, stay."""
    known = (application.get("web") or {}).get("redirectUris", [])
    wanted = url.rstrip("/") + CALLBACK
    if wanted not in known:
        change = {"web": {"redirectUris": [*known, wanted]}}
        until_replicated(lambda: graph.patch(f"/applications/{application['id']}", change))


def ensure_federated_credential(
    graph: Graph,
    application_id: str,
    name: str,
    subject: str,
    environment: Mapping[str, str],
    cloud: CloudAddresses,
) -> None:
    """A managed identity that may speak for the application. A new deployment under the old name has new identities."""
    path = f"/applications/{application_id}/federatedIdentityCredentials"
    wanted = {
        "issuer": f"{cloud.login}/{_required(environment, 'AZURE_TENANT_ID')}/v2.0",
        "subject": subject,
        "audiences": [EXCHANGES.get(cloud.login, PUBLIC_EXCHANGE)],
    }
    for known in until_replicated(lambda: graph.list(path)):
        if known["name"] == name:
            if any(known[key] != value for key, value in wanted.items()):
                graph.patch(f"{path}/{known['id']}", wanted)
            return
    try:
        until_replicated(lambda: graph.post(path, {"name": name, **wanted}))
    except GraphError as error:
        if error.code != "Request_MultipleObjectsWithSameKeyValue":  # somebody was quicker
            raise


def assign_operator(graph: Graph, service_principal_id: str, principal_id: str) -> None:
    """Whoever deploys is the first platform operator; more are added in the portal."""
    path = f"/servicePrincipals/{service_principal_id}/appRoleAssignedTo"
    for known in until_replicated(lambda: graph.list(path)):
        if (known["principalId"], known["appRoleId"]) == (principal_id, OPERATOR["id"]):
            return
    body = {
        "principalId": principal_id,
        "resourceId": service_principal_id,
        "appRoleId": OPERATOR["id"],
    }
    try:
        until_replicated(lambda: graph.post(path, body))
    except GraphError as error:  # the deployment works without; somebody else can do it
        if error.code != "Authorization_RequestDenied":
            raise
        tell(
            f"Registration: you may not give {OPERATOR['value']} to {principal_id}. Let an administrator do it: "
            "Entra ID, Enterprise applications, Users and groups."
        )


def _completed(present: list[Json], wanted: list[Json]) -> list[Json]:
    """What is there, with ours added. Ours are known by value: whoever registered first chose the ids."""
    values = {one["value"] for one in present}
    return [*present, *(one for one in wanted if one["value"] not in values)]


def _first(found: list[Json]) -> Json:
    if not found:
        raise GraphError("The service principal is not there yet.", "Request_ResourceNotFound")
    return found[0]


def _tag(environment: Mapping[str, str]) -> str:
    subscription = _required(environment, "AZURE_SUBSCRIPTION_ID")
    return f"{WANTED['tag']}:{subscription}:{_required(environment, 'AZURE_ENV_NAME')}"


def _identifier_uri(application: Json, environment: Mapping[str, str]) -> str:
    return environment.get("DRIFT_IDENTIFIER_URI") or f"api://{application['appId']}"


def _subjects(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        "drift-sign-in": _required(environment, "DRIFT_SIGN_IN_PRINCIPAL_ID"),
        "drift-app": _required(environment, "DRIFT_IDENTITY_PRINCIPAL_ID"),
    }


def _skipped(environment: Mapping[str, str]) -> bool:
    value = environment.get("DRIFT_SKIP_REGISTRATION", "").lower()
    if value not in {"", "true", "false"}:
        raise HookError(f"DRIFT_SKIP_REGISTRATION must be true or false, not {value!r}.")
    return value == "true"


def _own_client_id(environment: Mapping[str, str]) -> str:
    client_id = environment.get("DRIFT_APP_CLIENT_ID", "")
    if not GUID.fullmatch(client_id):
        raise HookError(
            "DRIFT_SKIP_REGISTRATION is set, so DRIFT_APP_CLIENT_ID must be the client id of your own app "
            f"registration, not {client_id!r}: azd env set DRIFT_APP_CLIENT_ID ID"
        )
    return client_id


def _required(environment: Mapping[str, str], name: str) -> str:
    if not environment.get(name):
        raise HookError(f"{name} is missing. Run this through azd, which sets it.")
    return environment[name]


def _what_yours_needs(environment: Mapping[str, str], cloud: CloudAddresses) -> str:
    issuer = f"{cloud.login}/{_required(environment, 'AZURE_TENANT_ID')}/v2.0"
    audience = EXCHANGES.get(cloud.login, PUBLIC_EXCHANGE)
    lines = [
        f"Registration: {_own_client_id(environment)} is yours. Let its owner add:",
        f"  web redirect URI {_required(environment, 'DRIFT_URL').rstrip('/')}{CALLBACK}, ID tokens on",
        *(
            f"  federated credential {name}: issuer {issuer}, subject {subject}, audience {audience}"
            for name, subject in _subjects(environment).items()
        ),
        f"  app roles {', '.join(role['value'] for role in WANTED['roles'])}; scope {WANTED['scope']['value']}",
    ]
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="registration", description=__doc__)
    parser.add_argument("step", choices=("prepare", "finish"))
    step = parser.parse_args(arguments).step
    try:
        (prepare if step == "prepare" else finish)(os.environ)
    except HookError as error:
        tell(f"Registration: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
