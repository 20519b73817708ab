"""From installed packages to the generated data files: one JSON file a provider namespace."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import TypeAlias

from dev.facts.overrides import Overrides, read_overrides
from dev.facts.packages import Declarations, find_owners, read_packages
from dev.facts.readonly import READ_ONLY, Derivation, Paths

UNWRITTEN: Paths = {"properties": READ_ONLY}
"""Of a type that no request writes: jobs, replicas, usages. That one comes or goes is still seen."""

_RECORDS = re.compile(
    r"/(?:\w*operations?(?:results|status|statuses)?|\w*(?:jobs|runs|executions|histories|history|requests|reports"
    r"|usages|quotalimits|quotas|recoverypoints|restorepoints|recommendations|scans|scanresults|statistics|status)"
    r"|replicas|processes|modules|detectors|detectorproperties|diagnostics|analyses|repetitions|scoperepetitions"
    r"|streams|logs|upgradeprofiles|healthchecks|runtimeviews|networktraces|privatelinkresources|deleted\w+"
    r"|restorable\w+|recoverable\w+|instances|machines|rollingupgrades)$"
)
"""Types that tell what happened or what is on offer. Other types without a write are parts of one that has it."""

Entry: TypeAlias = "dict[str, str | Paths]"


def generate(packages: Path, target: Path, overrides_path: Path) -> int:
    """Rewrites every file under `target`. Returns the number of resource types that have facts."""
    entries = _collect(packages, read_overrides(overrides_path))
    by_namespace: dict[str, dict[str, Entry]] = defaultdict(dict)
    for resource_type, entry in sorted(entries.items()):
        by_namespace[resource_type.partition("/")[0]][resource_type] = entry
    target.mkdir(parents=True, exist_ok=True)
    for stale in target.glob("*.json"):
        stale.unlink()
    for namespace, types in by_namespace.items():
        (target / f"{namespace}.json").write_text(_format(types), encoding="utf-8")
    return len(entries)


def _collect(packages: Path, overrides: Overrides) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    for declarations in read_packages(packages):
        for resource_type, paths in _derive_all(declarations, overrides):
            known = entries.get(resource_type)
            if known is None or known["paths"] == UNWRITTEN:
                entries[resource_type] = {"source": declarations.source, "paths": paths}
    return entries


def _derive_all(declarations: Declarations, overrides: Overrides) -> list[tuple[str, Paths]]:
    owners = find_owners(declarations.usages)
    found = []
    for resource_type, usage in declarations.usages.items():
        if not usage.results or (usage.written and not usage.bodies):
            continue  # nothing can be read, or what can be set is not said
        derivation = Derivation(declarations.models, resource_type, owners, overrides)
        paths = derivation.derive(usage.results, usage.bodies) if usage.written else UNWRITTEN
        if usage.written or _RECORDS.search(resource_type):
            found.append((resource_type, paths))
    return [(resource_type, paths) for resource_type, paths in found if paths]


def _format(types: dict[str, Entry]) -> str:
    """One type a line, so that a new package version is reviewed type by type."""
    lines = ",\n".join(
        f"{json.dumps(name)}:{json.dumps(entry, separators=(',', ':'), sort_keys=True)}"
        for name, entry in types.items()
    )
    return '{"types":{\n' + lines + "\n}}\n"
