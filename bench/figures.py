"""The figures: each a ratio of two measurements taken in turns in the same run, so that a busy machine slows both."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from bench.contenders import PAGE, Baseline, compare_all, peers, run_bound, scan
from bench.workload import Work
from drift.engine.packing import cut, unpack

ROUNDS = 5
_BARS = {
    "deepdiff": 300.0,
    "jsonpatch": 8.0,
    "dictdiffer": 8.0,
    "deepdiff-rs": 8.0,
    "turbodiff": 8.0,
}


@dataclass(frozen=True, slots=True)
class Figure:
    name: str
    value: float
    unit: str
    bar: float | None = None  # None: told for comparison, nothing to meet
    most: bool = False  # the bar is the most allowed instead of the least

    @property
    def ok(self) -> bool:
        if self.bar is None:
            return True
        return self.value <= self.bar if self.most else self.value >= self.bar

    def as_json(self) -> dict[str, Any]:
        value = round(self.value, 2)
        return {
            "figure": self.name,
            "value": value,
            "unit": self.unit,
            "bar": self.bar,
            "ok": self.ok,
        }


def measure_speed(work: Work, rewritten: Work) -> tuple[float, list[Figure]]:
    """The seconds of a whole comparison, and what they are beside the bound."""
    baseline, slow_baseline = Baseline(work.before), Baseline(rewritten.before)
    bound = whole = slow = float("inf")
    for _ in range(ROUNDS):
        bound = min(bound, _seconds(lambda: run_bound(work.after)))
        whole = min(whole, _seconds(lambda: scan(baseline, work.after)))
        slow = min(slow, _seconds(lambda: scan(slow_baseline, rewritten.after)))
    found = {difference.resource_id: difference for difference in scan(baseline, work.after)}
    expected = {_id_of(work.after[number]): paths for number, paths in work.edits.items()}
    exact = sum(
        {change.path for change in found[key].changes} == paths
        for key, paths in expected.items()
        if key in found
    )
    return whole, [
        Figure("whole comparison", bound / whole, "x bound", 2.0),
        Figure("whole comparison, every document parsed", bound / slow, "x bound", 0.55),
        Figure("misses, ours", len(expected.keys() - found.keys()), "documents", 0, most=True),
        Figure(
            "false alarms, ours", len(found.keys() - expected.keys()), "documents", 0, most=True
        ),
        Figure("paths exact, ours", exact / len(expected), "of changed documents", 1.0),
    ]


def compare_peers(work: Work, seconds_each: float) -> Iterator[Figure]:
    for name, (compare, size) in peers().items():
        sample = _sample(work, size)
        before = [work.before[number] for number in sample]
        after = [work.after[number] for number in sample]
        verdicts: list[bool] = []

        def run(
            compare: Callable[[Any, Any], bool] = compare,
            before: list[bytes] = before,
            after: list[bytes] = after,
            verdicts: list[bool] = verdicts,
        ) -> None:
            verdicts[:] = compare_all(compare, before, after)

        spent = _seconds(run) / len(sample)
        flagged = {number for number, differs in zip(sample, verdicts, strict=True) if differs}
        changed = work.edits.keys() & set(sample)
        yield Figure(f"faster than {name}", spent / seconds_each, "x", _BARS[name])
        yield Figure(f"misses, {name}", len(changed - flagged), f"of {len(changed)} documents")
        unchanged = len(sample) - len(changed)
        yield Figure(f"false alarms, {name}", len(flagged - changed), f"of {unchanged} documents")


def measure_packing(documents: list[bytes]) -> Iterator[Figure]:
    packs = list(cut(Baseline(documents[:PAGE]).documents.values()))
    bodies = [document.body for pack in packs for document in unpack(pack.data)]
    size = sum(map(len, bodies))
    yield Figure("packing", size / sum(len(pack.data) for pack in packs), ": 1", 7.0)

    def read() -> None:
        for pack in packs:
            for document in unpack(pack.data):
                msgspec.json.decode(document.body)

    best = min(_seconds(read) for _ in range(ROUNDS))
    yield Figure("unpack and parse", len(bodies) / best, "documents/s", 25_000)


def _sample(work: Work, size: int) -> list[int]:
    """Documents in the same mix as the whole work."""
    chance = random.Random(11)
    quiet = set(range(len(work.before))) - work.edits.keys() - work.reordered - work.refreshed
    groups = (set(work.edits), set(work.reordered), set(work.refreshed), quiet)
    share = size / len(work.before)
    return sorted(
        number
        for group in groups
        for number in chance.sample(sorted(group), min(len(group), round(len(group) * share)))
    )


def _seconds(run: Callable[[], object]) -> float:
    gc.collect()
    gc.freeze()  # what the bench itself holds is not the contender's to look through
    started = time.process_time()
    run()
    return time.process_time() - started


def _id_of(document: bytes) -> str:
    return str(msgspec.json.decode(document)["id"]).strip().rstrip("/")
