"""Reads what is really there: one subscription through Resource Graph, page by page, and its locks through ARM.

A collection yields every row of every source or raises: what it could not read is never an empty list. Pages are
followed by `$skipToken` alone; `resultTruncated` was seen to be wrong in both directions.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from drift.arm import GRAPH, Answer, Arm, decode
from drift.engine.survey import Page, split_graph_page, split_list_page
from drift.pace import Pace
from errors import Invalid, NotFound, Unavailable, Unreadable
from tenancy.ids import SubscriptionId, read_guid

GRAPH_API = "2022-10-01"
SUBSCRIPTION_API = "2022-12-01"
PROVIDER_API = "2021-04-01"
LOCK_API = "2020-05-01"
PAGE_SIZE = 1000
LARGEST_PAGE_COUNT = 2000  # two million resources in one subscription: a loop, not an inventory
_NOT_THE_RESOURCE = ("SubscriptionNotFound", "InvalidSubscriptionId")  # 404s about what it is in
READ_ACTION = "Microsoft.Resources/subscriptions/read"

_COLUMNS = "id, name, type, kind, location, tags, sku, plan, identity, zones, managedBy, extendedLocation, properties"


@dataclass(frozen=True, slots=True)
class Source:
    """A part of a subscription that is read as a whole. `query` is '' for what Resource Graph does not have."""

    name: str
    query: str


# Locks are in no table of Resource Graph (its table reference lists none); one ARM list a subscription.
SOURCES = (
    Source("resources", f"resources | project {_COLUMNS} | order by id asc"),
    Source(
        "resourcecontainers",
        "resourcecontainers | where type =~ 'microsoft.resources/subscriptions/resourcegroups' "
        "| project id, name, type, location, tags, managedBy, properties | order by id asc",
    ),
    Source(
        "authorizationresources",
        "authorizationresources | where type =~ 'microsoft.authorization/roleassignments' "
        "and id startswith '/subscriptions/' "
        "| project id, name, type, properties | order by id asc",
    ),
    Source(
        "policyresources",
        "policyresources | where type =~ 'microsoft.authorization/policyassignments' "
        "and id startswith '/subscriptions/' "
        "| project id, name, type, location, identity, properties | order by id asc",
    ),
    Source("locks", ""),
)

_SOURCES_OF_TYPES = {
    "microsoft.resources/subscriptions/resourcegroups": "resourcecontainers",
    "microsoft.authorization/roleassignments": "authorizationresources",
    "microsoft.authorization/policyassignments": "policyresources",
    "microsoft.authorization/locks": "locks",
}


def source_of(resource_type: str) -> Source:
    """Where resources of a type, in lower case, are read."""
    name = _SOURCES_OF_TYPES.get(resource_type, "resources")
    return next(source for source in SOURCES if source.name == name)


_VERSIONS = (
    "resources | where isnotnull(apiVersion) | distinct type, apiVersion | order by type asc"
)


@dataclass(frozen=True, slots=True)
class SeenSubscription:
    subscription_id: SubscriptionId
    name: str
    state: str


class SubscriptionReader:
    """One subscription through one tenant's ARM. Every request is about this subscription and no other."""

    def __init__(self, arm: Arm, subscription_id: SubscriptionId, pace: Pace | None = None) -> None:
        self._arm = arm.only(subscription_id)
        self._pace = pace or Pace()
        self.subscription_id = subscription_id
        self.scope = f"/subscriptions/{subscription_id}"

    async def probe(self) -> None:
        """Proves that the subscription itself can be read. Raises Unreadable, naming what is missing.

        Resource Graph answers a lost Reader role with fewer rows and no hint, so nothing else proves it.
        """
        try:
            answer = await self._arm.get(self.scope, SUBSCRIPTION_API, scope=self.scope)
        except NotFound as error:
            raise Unreadable(
                f"The connection does not see {self.scope}: {error.message}",
                scope=self.scope,
                permission=READ_ACTION,
            ) from error
        subscription = decode(answer, scope=self.scope)
        if not self._arm.may_read(str(subscription.get("tenantId", ""))):
            raise Unreadable(
                "The subscription is in another directory than this tenant's.", scope=self.scope
            )
        state = str(subscription.get("state", "Enabled"))
        if state not in {"Enabled", "Warned", "PastDue"}:
            raise Unreadable(f"The subscription is {state} in Azure.", scope=self.scope)

    async def pages(self, source: Source) -> AsyncIterator[list[msgspec.Raw]]:
        """The rows of one source, a page at a time, each row one ARM document in JSON."""
        read = self._graph_pages(source.query) if source.query else self._locks()
        async for page in read:
            yield page

    async def api_versions(self) -> dict[str, str]:
        """With which version of its provider's API Resource Graph reads each type, in lower case."""
        found: dict[str, str] = {}
        async for page in self._graph_pages(_VERSIONS):
            for row in page:
                kind, version = _read_version(row)
                found[kind] = max(version, found.get(kind, ""))
        return found

    async def rows_of(self, source: Source, resource_ids: Iterable[str]) -> list[msgspec.Raw]:
        """The rows that a source has of these resources alone."""
        ids = ", ".join(quote(resource_id) for resource_id in resource_ids)
        query = source.query.replace(" | project ", f" | where id in~ ({ids}) | project ", 1)
        return [row async for page in self._graph_pages(query) for row in page]

    async def query(self, query: str) -> AsyncIterator[list[msgspec.Raw]]:
        """The rows of any Resource Graph query over this subscription."""
        async for page in self._graph_pages(query):
            yield page

    async def get(self, resource_id: str, api_version: str) -> dict[str, Any]:
        """The resource as its provider has it. NotFound is the provider's 404 and nothing else."""
        if not resource_id.lower().startswith(self.scope + "/"):
            raise Invalid("The resource is not in this subscription.", field="resourceId")
        try:
            answer = await self._arm.get(resource_id, api_version, scope=resource_id, budget=20)
        except NotFound as error:
            if error.message.startswith(_NOT_THE_RESOURCE):
                raise Unreadable(error.message, scope=resource_id) from error
            raise
        return decode(answer, scope=resource_id)

    async def provider(self, namespace: str) -> dict[str, Any]:
        """`resourceTypes` of a provider with their API versions."""
        path = f"{self.scope}/providers/{namespace}"
        answer = await self._arm.get(path, PROVIDER_API, scope=path)
        return decode(answer, scope=path)

    async def _graph_pages(self, query: str) -> AsyncIterator[list[msgspec.Raw]]:
        token: str | None = None
        used: set[str] = set()
        rows = 0
        for _ in range(LARGEST_PAGE_COUNT):
            page = await self._graph_page(query, token)
            rows += len(page.rows)
            yield page.rows
            if not page.next:
                self._check_whole(page, rows)
                return
            if page.next in used:
                raise self._broken("repeated a page token")
            used.add(page.next)
            token = page.next
        raise self._broken("did not come to an end")

    async def _graph_page(self, query: str, token: str | None) -> Page:
        options: dict[str, Any] = {"$top": PAGE_SIZE, "resultFormat": "objectArray"}
        if token:
            options["$skipToken"] = token
        body = {"subscriptions": [self.subscription_id], "query": query, "options": options}
        await self._pace.wait()
        answer = await self._arm.post(GRAPH, GRAPH_API, body, scope=self.scope)
        await self._pace.note(answer.headers)
        return self._split(answer, split_graph_page)

    async def _locks(self) -> AsyncIterator[list[msgspec.Raw]]:
        path = f"{self.scope}/providers/Microsoft.Authorization/locks"
        answer = await self._arm.get(path, LOCK_API, scope=path)
        links: set[str] = set()
        for _ in range(LARGEST_PAGE_COUNT):
            page = self._split(answer, split_list_page)
            yield page.rows
            if not page.next:
                return
            if page.next in links:
                raise self._broken("repeated a nextLink")
            links.add(page.next)
            answer = await self._arm.get_link(page.next, scope=path)
        raise self._broken("did not come to an end")

    def _split(self, answer: Answer, split: Callable[[bytes], Page]) -> Page:
        try:
            return split(answer.body)
        except Invalid as error:
            raise self._broken("answered something else than a page of rows") from error

    def _check_whole(self, page: Page, rows: int) -> None:
        """Without a token the answer must be the end: neither cut off nor short of its own count."""
        if page.truncated:
            raise self._broken("cut the answer off without a page token")
        if page.total is not None and rows != page.total:
            raise self._broken(f"counted {page.total} rows and delivered {rows}")

    def _broken(self, what: str) -> Unavailable:
        return Unavailable(f"Reading {self.scope}: Azure {what}. Nothing was concluded from it.")


def quote(text: str) -> str:
    """A KQL string literal: backslash and quote are escaped, so that an id cannot become part of the query."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return "'" + "".join(character for character in escaped if character.isprintable()) + "'"


def _read_version(row: msgspec.Raw) -> tuple[str, str]:
    document = msgspec.json.decode(row)
    members = document if isinstance(document, dict) else {}
    return str(members.get("type", "")).lower(), str(members.get("apiVersion", ""))


async def list_subscriptions(arm: Arm) -> list[SeenSubscription]:
    """All subscriptions that the tenant's credential can see and may read."""
    scope = "/subscriptions"
    answer = await arm.get(scope, SUBSCRIPTION_API, scope=scope)
    found: list[SeenSubscription] = []
    for _ in range(LARGEST_PAGE_COUNT):
        document = decode(answer, scope=scope)
        values = document.get("value")
        if not isinstance(values, list):
            raise Unavailable("Azure answered no list of subscriptions.")
        found.extend(
            _read_subscription(value)
            for value in values
            if arm.may_read(str(value.get("tenantId", "")))
        )
        link = document.get("nextLink")
        if not link:
            return found
        answer = await arm.get_link(str(link), scope=scope)
    raise Unavailable("Azure's list of subscriptions does not come to an end.")


async def list_directories(arm: Arm) -> list[str]:
    """The directories that the tenant's credential signs in to, lower-cased."""
    scope = "/tenants"
    document = decode(await arm.get(scope, SUBSCRIPTION_API, scope=scope), scope=scope)
    values = document.get("value")
    if not isinstance(values, list):
        raise Unavailable("Azure answered no list of directories.")
    return [str(value.get("tenantId", "")).lower() for value in values]


def _read_subscription(value: Mapping[str, Any]) -> SeenSubscription:
    subscription_id = read_guid(
        str(value.get("subscriptionId", "")).lower(), field="subscriptionId"
    )
    return SeenSubscription(
        SubscriptionId(subscription_id),
        str(value.get("displayName", ""))[:200],
        str(value.get("state", "")),
    )
