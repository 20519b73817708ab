"""What differs from the baseline: found by digests, walked only where they differ, judged, confirmed and attributed.

It returns the transitions to write; drift/scan.py commits them. A finding that is known with the same two digests is
not looked at again, so a scan that finds nothing new loads no document.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias

import msgspec

import telemetry
from drift.archive import load_documents
from drift.attribution import Attributor
from drift.confirm import Confirmer, Verdict
from drift.engine import findings as life
from drift.engine.compare import differ
from drift.engine.families import embedded, without_echoes
from drift.engine.findings import Attribution, Evidence, Observation, Status
from drift.engine.index import SnapshotIndex, delta, evolved_types
from drift.engine.model import Difference, Document, Json, ResourceKey
from drift.engine.rules import Judgement, Subject, TenantRule, judge
from drift.findings import Known, Stored, Transition, get_finding, shorten
from drift.preferences import Scope
from tenancy.ids import SubscriptionId
from tenancy.store import TenantStore

MOST_HIDDEN = 40  # changes hidden by rules that are kept with a finding
LATEST_ATTRIBUTION = timedelta(days=1)  # after that Azure has no record of it; minutes are usual


@dataclass(frozen=True, slots=True)
class Held:
    """A subscription's state now, and the baseline version it is held against."""

    subscription_id: SubscriptionId
    baseline_id: str
    baseline: SnapshotIndex
    current: SnapshotIndex
    fresh: Mapping[ResourceKey, Document]  # documents of this scan that are in memory already
    known: Sequence[Known]  # the findings that are stored


@dataclass(frozen=True, slots=True)
class Policy:
    """What the tenant wants of differences."""

    scope: Scope
    rules: tuple[TenantRule, ...] = ()
    changed: bool = False  # since the last scan: what is known is judged again


@dataclass(frozen=True, slots=True)
class Detected:
    transitions: tuple[Transition, ...]
    unsettled: int  # findings that still have to be dealt with, after the transitions
    hits: tuple[str, ...] = ()  # ids of the tenant's rules, once for each resource they met


@dataclass(frozen=True, slots=True)
class _Candidate:
    difference: Difference  # with the severities of its changes
    judgement: Judgement
    before: Document | None
    after: Document | None
    attribution: Attribution | None


async def detect(
    store: TenantStore,
    attributor: Attributor,
    confirmer: Confirmer,
    held: Held,
    policy: Policy,
    *,
    now: datetime,
) -> Detected:
    """Compares a state with its baseline. Raises what reading Azure or storage raises; nothing is written here."""
    known = {_key(item): item for item in held.known}
    drifted = _drifted(held)
    late = [item.resource_id for item in known.values() if _awaits_attribution(item, now)]
    arrived = await attributor.ask(late)
    news = [
        key
        for key, digests in drifted.items()
        if policy.changed or key in arrived or not _is_known(known.get(key), digests)
    ]
    candidates = await _candidates(store, attributor, held, news, policy, now)
    with telemetry.span(telemetry.CONFIRM, candidates=len(candidates)):
        verdicts = await asyncio.gather(
            *(confirmer.confirm(item.difference, item.before, item.after) for item in candidates)
        )
    true = [
        (candidate, verdict)
        for candidate, verdict in zip(candidates, verdicts, strict=True)
        if verdict is not Verdict.REFUTED
    ]
    transitions = []
    for candidate, verdict in true:
        seen = _observation(held, candidate, verdict)
        transitions.append(await _advance(store, held, known.get(seen.key), seen, now))
    for item in known.values():
        covered = policy.scope.covers(item.resource_id, item.resource_type)
        over = _key(item) not in drifted or not covered
        if over and item.status != Status.RESOLVED:
            transitions.append(await _advance(store, held, item, None, now))
    written = tuple(item for item in transitions if item is not None)
    hits = tuple(hit for candidate, _ in true for hit in candidate.judgement.hits)
    return Detected(written, _count_unsettled(known, written), hits)


def _awaits_attribution(known: Known, now: datetime) -> bool:
    """Azure's record of a change can come after the change itself was seen."""
    if known.attributed or known.status == Status.RESOLVED:
        return False
    return now - known.last_seen < LATEST_ATTRIBUTION


def _drifted(held: Held) -> dict[ResourceKey, tuple[str, str]]:
    """Key -> digests (baseline, current) of what differs; '' where the resource does not exist."""
    keys = delta(held.baseline, held.current)
    return {
        ResourceKey(key.hex()): (_digest(held.baseline, key), _digest(held.current, key))
        for key in (*keys.added, *keys.removed, *keys.modified)
    }


def _is_known(known: Known | None, digests: tuple[str, str]) -> bool:
    """Whether this very drift is written already, confirmed and not closed."""
    return (
        known is not None
        and (known.baseline_digest, known.current_digest) == digests
        and known.evidence == Evidence.CONFIRMED
        and known.status != Status.RESOLVED
    )


async def _candidates(
    store: TenantStore,
    attributor: Attributor,
    held: Held,
    keys: Sequence[ResourceKey],
    policy: Policy,
    now: datetime,
) -> list[_Candidate]:
    """Loads, walks and judges what is new. Only the packs that hold one of the keys are read."""
    before, after, found = await _differences(store, held, keys, policy.scope)
    differences = await _told_once(store, held, found, policy.scope)
    who = await attributor.ask(item.resource_id for item in differences)
    return [
        _judged(item, before.get(item.key), after.get(item.key), who.get(item.key), policy, now)
        for item in differences
    ]


_Documents: TypeAlias = dict[ResourceKey, Document]


async def _differences(
    store: TenantStore, held: Held, keys: Collection[ResourceKey], scope: Scope
) -> tuple[_Documents, _Documents, list[Difference]]:
    """The documents of both sides, and what of their differences is in scope."""
    before = await load_documents(store, held.baseline, keys)
    after = await load_documents(store, held.current, keys, at_hand=held.fresh)
    evolved = evolved_types(held.baseline, held.current)
    found = (differ(before.get(key), after.get(key), evolved=evolved) for key in keys)
    return before, after, [d for d in found if d and scope.covers(d.resource_id, d.resource_type)]


async def _told_once(
    store: TenantStore, held: Held, found: Sequence[Difference], scope: Scope
) -> list[Difference]:
    """The differences without what resources that others embed tell themselves, now or in a scan before."""
    drifted = _drifted(held)
    wanted = {key for item in found for key in embedded(item) if key in drifted}
    if not wanted:
        return list(found)
    _, _, children = await _differences(store, held, wanted, scope)
    own = {item.key: item for item in children}
    told = (without_echoes(item, own) for item in found)
    return [item for item in told if item is not None]


def _judged(
    difference: Difference,
    before: Document | None,
    after: Document | None,
    attribution: Attribution | None,
    policy: Policy,
    now: datetime,
) -> _Candidate:
    old, new = _body(before), _body(after)
    subject = Subject(
        tags=_tags(new if new is not None else old),
        actor=attribution.changed_by if attribution else "",
        before=old,
        after=new,
    )
    judgement = judge(difference, rules=policy.rules, facts=subject, now=now)
    every = (*judgement.changes, *judgement.ignored_changes)
    return _Candidate(replace(difference, changes=every), judgement, before, after, attribution)


def _observation(held: Held, candidate: _Candidate, verdict: Verdict) -> Observation:
    difference, judgement = candidate.difference, candidate.judgement
    key = bytes.fromhex(difference.key)
    return Observation(
        subscription_id=held.subscription_id,
        key=difference.key,
        resource_id=difference.resource_id,
        resource_type=difference.resource_type,
        kind=difference.kind,
        changes=shorten(judgement.changes),
        severity=judgement.severity,
        baseline_digest=_digest(held.baseline, key),
        current_digest=_digest(held.current, key),
        evidence=Evidence.CONFIRMED if verdict is Verdict.CONFIRMED else Evidence.OBSERVED,
        attribution=candidate.attribution,
        ignored_by=judgement.ignored_by,
        ignored_changes=shorten(judgement.ignored_changes)[:MOST_HIDDEN],
    )


async def _advance(
    store: TenantStore, held: Held, known: Known | None, seen: Observation | None, now: datetime
) -> Transition | None:
    """The transition of one finding, None when nothing about it is to be written."""
    stored: Stored | None = await get_finding(store, known.finding_id) if known else None
    step = life.advance(
        stored.finding if stored else None, seen, now=now, baseline_id=held.baseline_id
    )
    if not step.changed or step.finding is None:
        return None
    if stored is None:
        return Transition(step.finding, "", step.event, None)
    return Transition(step.finding, stored.etag, step.event, stored.finding)


def _count_unsettled(known: Mapping[ResourceKey, Known], written: Sequence[Transition]) -> int:
    statuses = {item.finding_id: item.status for item in known.values()}
    statuses |= {item.finding.finding_id: item.finding.status for item in written}
    return sum(1 for status in statuses.values() if status in life.UNSETTLED)


def _key(known: Known) -> ResourceKey:
    return ResourceKey(known.finding_id.rpartition(".")[2])


def _digest(index: SnapshotIndex, key: bytes) -> str:
    digest = index.digest_of(key)
    return digest.hex() if digest else ""


def _body(document: Document | None) -> Json:
    if document is None:
        return None
    body: Json = msgspec.json.decode(document.body)
    return body


def _tags(body: Json) -> dict[str, str]:
    tags = body.get("tags") if isinstance(body, dict) else None
    return {str(name): str(value) for name, value in tags.items()} if isinstance(tags, dict) else {}
