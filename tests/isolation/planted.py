"""A tenant with something of everything, marked with canaries, and all that is stored of it anywhere."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import re
import uuid
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx
import zstandard
from azure.core.exceptions import ResourceNotFoundError
from azure.data.tables.aio import TableServiceClient
from azure.keyvault.secrets.aio import SecretClient
from azure.storage.blob.aio import BlobServiceClient
from azure.storage.queue.aio import QueueServiceClient

from dev.demo.client import principal_header
from drift.channels.rows import (
    Delivery,
    Outcome,
    get_delivery,
    insert_delivery,
    read_desk,
    save_delivery,
)
from drift.channels.stories import tell
from drift.engine.packing import unpack
from drift.findings import get_finding
from drift.notices import announce
from tenancy.access import serve
from tenancy.blobs import container_of
from tenancy.deployment import Deployment
from tenancy.ids import TenantId
from tenancy.rows import join_binary
from tenancy.store import Table, TenantStore
from tenancy.tenants import PLATFORM
from tenancy.usage import PREFIX
from tests.api.members import header_of
from tests.drift.host import CONSUMERS
from tests.drift.watched import Watched

MEMBERS = ("viewer", "operator", "application", "admin")
VOLATILE = frozenset({"x-ms-request-id", "date"})
_AGE = re.compile(rb">(just now|(in )?(less than a minute|\d+ \w+)( ago)?)<")  # as pages say it
State = dict[tuple[str, str, str], Any]
_BINARY = re.compile(r'"base64":"([^"]+)"')


@dataclass
class Cellar:
    """The places where something is stored, as an administrator of the cloud sees them."""

    deployment: Deployment
    tables: TableServiceClient
    queues: QueueServiceClient
    blobs: BlobServiceClient
    secrets: SecretClient
    known: State | None = None  # of the tenant under attack, since the last test that watched it
    seen: list[dict[str, Any]] = field(default_factory=list)  # all messages of the last look

    async def messages(self) -> list[dict[str, Any]]:
        """What waits in the queues, as far as a look without taking shows it."""
        found = []
        for queue in CONSUMERS:
            client = self.queues.get_queue_client(queue)
            for message in await client.peek_messages(max_messages=32):
                body = json.loads(base64.b64decode(message.content))
                found.append({"queue": queue, **body})
        self.seen = found
        return found

    async def state_of(self, tenant_id: str) -> State:
        """Everything that is a tenant's: rows, index rows that name it, secrets with their values, messages."""
        found = await self.rows_of(tenant_id)
        for entity in await self._index(tenant_id):
            found["index", entity["PartitionKey"], entity["RowKey"]] = entity
        found |= await self.blobs_of(tenant_id)
        for name, secret in (await self._secrets(tenant_id)).items():
            found["secret", "", name] = secret
        for message in await self.messages():
            if message["tenant_id"] == tenant_id:
                found["message", message["queue"], json.dumps(message, sort_keys=True)] = True
        return found

    async def lasting(self, tenant_id: str) -> State:
        """The same without the rows that tell of tries and visits."""
        state = await self.state_of(tenant_id)
        told = (".denied.", ".entry.", "seen.")
        return {key: row for key, row in state.items() if not any(one in key[2] for one in told)}

    async def blobs_of(self, tenant_id: str) -> State:
        """Its blobs, with what is in them as text."""
        container = self.blobs.get_container_client(container_of(TenantId(tenant_id)))
        found: State = {}
        with contextlib.suppress(ResourceNotFoundError):
            async for blob in container.list_blobs():
                content = await (await container.download_blob(blob.name)).readall()
                found["blob", container.container_name, blob.name] = (blob.etag, unfold(content))
        return found

    async def rows_of(self, tenant_id: str) -> State:
        """Its rows alone, without the counts of what was asked: they are written when a block of them is full."""
        rows = await asyncio.gather(*(self._rows(table, tenant_id) for table in Table))
        return {
            ("row", table, entity["RowKey"]): entity
            for table, entities in zip(Table, rows, strict=True)
            for entity in entities
            if not (table is Table.USAGE and entity["RowKey"].startswith(PREFIX))
        }

    async def audit_of(self, tenant_id: str) -> list[dict[str, Any]]:
        return await self._rows(Table.AUDIT, tenant_id)

    async def _rows(self, table: str, tenant_id: str) -> list[dict[str, Any]]:
        client = await self.deployment.tables.client(table)
        query = client.query_entities("PartitionKey eq @t", parameters={"t": tenant_id})
        return [dict(row) | {"etag": row.metadata["etag"]} async for row in query]

    async def _index(self, tenant_id: str) -> list[dict[str, Any]]:
        client = await self.deployment.tables.client(PLATFORM)
        query = client.query_entities("tenant_id eq @t", parameters={"t": tenant_id})
        return [dict(row) async for row in query]

    async def _secrets(self, tenant_id: str) -> dict[str, Any]:
        found = {}
        async for properties in self.secrets.list_properties_of_secrets():
            if (properties.tags or {}).get("tenant") != tenant_id:
                continue
            secret = await self.secrets.get_secret(properties.name) if properties.enabled else None
            said = (properties.enabled, properties.updated_on, dict(properties.tags))
            found[properties.name] = (secret.value if secret else None, *said)
        return found


@dataclass
class Planted:
    """A tenant under attack, or the attacker's own."""

    watched: Watched
    canary: str  # in every text that somebody may choose
    people: dict[str, str]  # role -> sign-in header
    ids: dict[str, str] = field(default_factory=dict)  # by the name of the placeholder
    secrets: set[str] = field(default_factory=set)

    @property
    def tenant_id(self) -> str:
        return self.watched.tenant_id

    @property
    def texts(self) -> set[str]:
        """What nobody else may ever see, in a log neither."""
        return {self.canary, *self.secrets}

    @property
    def canaries(self) -> set[str]:
        """What no answer to anybody else and no message of anybody else may hold."""
        made = self.watched.organisation
        named = {name: value for name, value in self.ids.items() if name != "new_id"}
        return self.texts | set(named.values()) | {made.object_id, made.admin_object_id}


def seen_in(answer: httpx.Response, canaries: Iterable[str], *, sent: str = "") -> list[str]:
    """The canaries in an answer, whether in its body or its headers. What was sent itself is no news there."""
    text = answer.text + str(answer.headers)
    text = text.replace(sent, "") if sent else text
    return [canary for canary in canaries if canary in text]


def shown(answer: httpx.Response, *, sent: str = "") -> tuple[int, bytes, dict[str, str]]:
    """All of an answer that could tell one case from another, but for the value that was sent."""
    headers = {key: value for key, value in answer.headers.items() if key not in VOLATILE}
    content = _AGE.sub(b"><", answer.content)
    content = re.sub(rb'"generatedAt":"[^"]+"', b"", content)  # when it was asked for
    return answer.status_code, content.replace(sent.encode(), b"") if sent else content, headers


def unfold(content: bytes) -> str:
    """What is in a blob: lines in zstd, files in a zip, or a manifest."""
    if content.startswith(zstandard.FRAME_HEADER):
        with zstandard.ZstdDecompressor().stream_reader(content) as stream:
            text = stream.read().decode()
        binary = [base64.b64decode(one) for one in _BINARY.findall(text)]
        return text + "".join(one.decode(errors="replace") for one in binary)
    if content.startswith(b"PK"):
        archive = zipfile.ZipFile(io.BytesIO(content))
        return "".join(archive.read(name).decode() for name in archive.namelist())
    return content.decode()


def readable(state: State) -> dict[str, str]:
    """By table: everything that is in its rows, packs unpacked."""
    found: dict[str, str] = {}
    for (kind, table, key), value in state.items():
        if kind != "row":
            continue
        text = str(value)
        if table == Table.PACK and key.startswith("p."):
            text += str([document.body for document in unpack(join_binary(value))])
        found[table] = found.get(table, "") + text
    return found


async def plant(watched: Watched, canary: str, deployment: Deployment) -> Planted:
    """Lives in a new tenant for a while: scans, drift, decisions, rules, users, invitations, notices."""
    made = watched.organisation
    planted = bare(watched, canary)
    await watched.put_subscription(displayName=canary)
    (await watched.put_connection()).raise_for_status()
    await watched.add({**watched.account("alpha"), "tags": {"note": canary}}, watched.lock())
    await watched.scan()
    await watched.capture(name=canary, note=canary)
    edit = {"/properties/allowBlobPublicAccess": True}
    await watched.azure.edit(watched.account("alpha")["id"], set=edit)
    assert (await watched.scan())["status"] == "complete"
    finding = await watched.finding()
    await watched.decide(finding, "acknowledge", reason=canary)
    planted.ids |= {"finding_id": finding["id"], "key": finding["resourceKey"]}
    for role in ("viewer", "operator", "application"):
        planted.people[role] = await _add_user(planted, role)
    context = await serve(deployment, TenantId(planted.tenant_id))
    await announce(context, "9999999999999999-canary", canary, now=datetime.now(UTC))
    await context.store.put(Table.USAGE, "canary", {"note": canary})  # nothing writes it yet
    await renew(planted)
    # Its test would be tried again and again: what waits on a queue would not be what it was.
    channel = f"/api/channels/{planted.ids['channel_id']}"
    await watched.http.delete(channel, headers=await watched.if_match(channel))
    planted.ids |= await keep_copies(watched)
    await renew(planted)
    planted.ids |= await ask_for_approval(watched, canary)
    planted.ids["delivery_id"] = await log_delivery(context.store, planted)
    channels = (await read_desk(context.store)).channels
    planted.secrets = {
        made.secret,
        *[await context.vault.read(channel.secret_name) for channel in channels],
        await context.vault.read(context.tenant.fingerprint_secret),
        context.tenant.fingerprint_secret,
    }
    return planted


async def keep_copies(watched: Watched) -> dict[str, str]:
    """A backup and an export of what there is."""
    made = {
        "backup_id": (await watched.api.request("POST", "/api/backups"))["id"],
        "export_id": (await watched.api.request("POST", "/api/export"))["id"],
    }
    assert await watched.host.drain() == []
    return made


async def log_delivery(store: TenantStore, planted: Planted) -> str:
    """A delivery that is over, and told of a finding."""
    now, channel_id = datetime.now(UTC), planted.ids["channel_id"]
    finding = (await get_finding(store, planted.ids["finding_id"])).finding
    story = tell([(finding, "opened")], subscription=planted.canary, incident="", left=0)
    made = f"{channel_id}.9999999999999999-canary"
    over = Delivery(made, channel_id, story, (), now, now, Outcome.QUEUED, reason=planted.canary)
    await insert_delivery(store, over)
    stored = await get_delivery(store, made)
    await save_delivery(store, replace(over, outcome=Outcome.DELIVERED), etag=stored.etag)
    return made


async def ask_for_approval(watched: Watched, reason: str) -> dict[str, str]:
    """A change of the settings, and a request that waits for a second person."""
    await watched.change_settings(fourEyes=True)
    (change, *_) = await watched.api.every("/api/settings/history")
    asked = await watched.api.request("POST", "/api/approvals/four-eyes-off", {"reason": reason})
    return {"change_id": change["id"], "approval_id": asked["id"]}


def bare(watched: Watched, canary: str) -> Planted:
    """A new tenant with nothing in it yet."""
    made = watched.organisation
    ids = {
        "tenant_id": watched.tenant_id,
        "directory_id": made.directory_id,
        "client_id": made.client_id,
        "subscription_id": watched.subscription_id,
        "new_id": str(uuid.uuid4()),
    }
    return Planted(watched, canary, {"admin": watched.http.headers["X-MS-CLIENT-PRINCIPAL"]}, ids)


async def renew(planted: Planted) -> None:
    """Makes new ones of what a request may end; their ids are the ones to try from now on."""
    watched, canary = planted.watched, planted.canary
    api = watched.api
    expires = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    rule = {"action": "ignore", "reason": canary, "expiresAt": expires, "path": "/tags/a"}
    resources = [watched.account(canary), watched.account("alpha")]
    upload = {"source": "upload", "activate": False, "name": canary, "note": canary}
    user = {"directoryId": planted.ids["directory_id"], "objectId": str(uuid.uuid4())}
    invitation = {"name": canary, "role": "viewer"}
    # On this machine and refusing connections: what a test of it is sent goes nowhere.
    target = {"url": f"https://localhost:1/{canary}", "key": f"routing-{canary}"}
    channel = {"name": canary, "kind": "pagerduty", "target": target, "events": ["resolved"]}
    window = {"startsAt": "2099-01-01T00:00:00Z", "endsAt": "2099-01-02T00:00:00Z"}
    window |= {"name": canary, "deployers": [canary]}
    ids = planted.ids
    ids["new_id"] = str(uuid.uuid4())
    ids["channel_id"] = (await api.request("POST", "/api/channels", channel))["id"]
    tested = await api.request("POST", f"/api/channels/{ids['channel_id']}/test")
    ids["delivery_id"] = tested["id"]
    ids["window_id"] = (await api.request("POST", "/api/maintenance-windows", window))["id"]
    ids["rule_id"] = (await api.request("POST", "/api/rules", rule))["id"]
    ids["baseline_id"] = (await watched.capture(resources=resources, **upload))["id"]
    user |= {"name": canary, "role": "viewer"}
    ids["user_id"] = (await api.request("POST", "/api/users", user))["id"]
    ids["invitation_id"] = (await api.request("POST", "/api/invitations", invitation))["id"]
    if "scan_id" in ids:  # so many may be open, and no more
        await watched.http.post(f"/api/scans/{ids['scan_id']}/cancel")
    ids["scan_id"] = await watched.request_scan()


async def _add_user(planted: Planted, role: str) -> str:
    """Adds a user, who then comes in once: a first visit writes a row. Its sign-in header."""
    application = role == "application"
    made, object_id = planted.watched.organisation, str(uuid.uuid4())
    body = {
        "directoryId": made.directory_id,
        "objectId": object_id,
        "name": planted.canary,
        "role": "operator" if application else role,
        "kind": "application" if application else "person",
    }
    await planted.watched.api.request("POST", "/api/users", body)
    if application:
        header = header_of(made.directory_id, object_id, idtyp="app")
    else:
        header = principal_header(made.directory_id, object_id, planted.canary)
    await planted.watched.api.request(
        "GET", "/api/settings", headers={"X-MS-CLIENT-PRINCIPAL": header}
    )
    return header
