"""A tenant's rules as rows: what they say, who made them, and how often they hit."""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from drift.engine import rules as engine
from drift.engine.findings import Finding
from drift.engine.rules import TenantRule
from drift.filters import Wanted
from drift.findings import every_finding
from errors import Conflict, NotFound, Stale
from tenancy import audit
from tenancy.access import TenantContext
from tenancy.rows import Row, Value
from tenancy.store import Table, TenantStore

MOST_RULES = 500  # all of them are looked at for every change
PREVIEW_DAYS = 30
TRIES = 5  # of counting a hit while somebody edits the rule


@dataclass(frozen=True, slots=True)
class StoredRule:
    rule: TenantRule  # with its hits
    etag: str


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules in force at one moment. `version` changes when what they say does, or when one expires."""

    rules: tuple[TenantRule, ...]
    version: str


def new_rule_id() -> str:
    return secrets.token_hex(8)


async def get_rules(store: TenantStore) -> list[StoredRule]:
    return [_read(row) async for row in store.rows(Table.RULE)]


async def page_rules(store: TenantStore, *, after: str, limit: int) -> tuple[list[StoredRule], str]:
    rows, cursor = await store.page(Table.RULE, after=after, limit=limit)
    return [_read(row) for row in rows], cursor


async def get_rule(store: TenantStore, rule_id: str) -> StoredRule:
    row = await store.find(Table.RULE, rule_id)
    if row is None:
        raise NotFound("There is no such rule.")
    return _read(row)


async def rules_in_force(store: TenantStore, *, now: datetime) -> RuleSet:
    rules = tuple(item.rule for item in await get_rules(store) if item.rule.is_in_force(now))
    digest = hashlib.sha256()
    for rule in rules:
        digest.update(_encode(rule))
    return RuleSet(rules, digest.hexdigest()[:16] if rules else "")


async def add_rule(context: TenantContext, rule: TenantRule, *, now: datetime) -> StoredRule:
    """Raises Conflict when the tenant has as many rules as it may."""
    if len(await get_rules(context.store)) >= MOST_RULES:
        raise Conflict(f"A tenant has at most {MOST_RULES} rules. Delete unused ones first.")
    etag = await context.store.insert(Table.RULE, rule.id, _values(rule))
    await _audit(context, "rule.add", rule, now)
    return StoredRule(rule, etag)


async def change_rule(
    context: TenantContext, rule: TenantRule, *, etag: str, now: datetime
) -> StoredRule:
    """Replaces what a rule says; author, age and hits stay.

    Raises NotFound for a rule that is not there, and Stale when it was changed after `etag` was read.
    """
    before = (await get_rule(context.store, rule.id)).rule
    rule = replace(
        rule,
        author=before.author,
        created_at=before.created_at,
        hit_count=before.hit_count,
        last_hit_at=before.last_hit_at,
    )
    etag = await context.store.update(Table.RULE, rule.id, _values(rule), etag=etag)
    await _audit(context, "rule.change", rule, now)
    return StoredRule(rule, etag)


async def delete_rule(context: TenantContext, rule_id: str, *, etag: str, now: datetime) -> None:
    """What it hid is open again after the next scan. Raises Stale when it was changed after `etag` was read."""
    stored = await get_rule(context.store, rule_id)
    await context.store.delete(Table.RULE, rule_id, etag=etag)
    await _audit(context, "rule.delete", stored.rule, now)


async def count_hits(store: TenantStore, hits: Iterable[str], *, now: datetime) -> None:
    """Adds one hit for every id given, as often as it is given. A rule deleted meanwhile is left alone."""
    for rule_id, number in Counter(hits).items():
        for _ in range(TRIES):
            try:
                stored = await get_rule(store, rule_id)
                rule = replace(
                    stored.rule, hit_count=stored.rule.hit_count + number, last_hit_at=now
                )
                await store.update(Table.RULE, rule_id, _values(rule), etag=stored.etag)
            except Stale:
                continue
            except NotFound:
                pass
            break


async def preview(store: TenantStore, rule: TenantRule, *, now: datetime) -> tuple[Finding, ...]:
    """The findings of the last 30 days that the rule would have hidden or rated otherwise.

    A rule on a tag is not previewed by tag: findings do not keep the tags of their resources.
    """
    wanted = Wanted(since=now - timedelta(days=PREVIEW_DAYS))
    found: list[Finding] = []
    async for finding in every_finding(store, wanted):
        found += engine.preview(rule, [finding])
    return tuple(found)


def unused(rules: Sequence[StoredRule], *, now: datetime) -> frozenset[str]:
    """Ids of rules in force that have hit nothing for a long time."""
    return frozenset(rule.id for rule in engine.unused([item.rule for item in rules], now=now))


def _encode(rule: TenantRule) -> bytes:
    """What a rule says, without its hits."""
    return msgspec.json.encode(replace(rule, hit_count=0, last_hit_at=None))


def _values(rule: TenantRule) -> dict[str, Value]:
    return {
        "body": _encode(rule),
        "hit_count": rule.hit_count,
        "last_hit_at": rule.last_hit_at,
    }


def _read(row: Row) -> StoredRule:
    values: Mapping[str, object] = row.values
    rule = msgspec.json.decode(row.values["body"], type=TenantRule)
    hits, last = values["hit_count"], values.get("last_hit_at")
    assert isinstance(hits, int)
    assert last is None or isinstance(last, datetime)
    return StoredRule(replace(rule, hit_count=hits, last_hit_at=last), row.etag)


async def _audit(context: TenantContext, action: str, rule: TenantRule, now: datetime) -> None:
    detail = _encode(rule).decode()
    await audit.record(context.store, context.actor, action, rule.id, now=now, detail=detail)
