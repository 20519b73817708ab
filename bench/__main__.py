"""Measures everything and prints one JSON line a figure. Exit 1 when a bar is missed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.documents import RECORDED, make_documents
from bench.figures import Figure, compare_peers, measure_packing, measure_speed
from bench.lists import measure_lists
from bench.memory import measure_memory
from bench.rounds import measure_rounds
from bench.scans import measure_scans
from bench.start import measure_start
from bench.workload import make_work


def main() -> int:
    options = _parse()
    recorded = options.documents or (RECORDED if RECORDED.exists() else None)
    _tell(f"{options.count} documents, {'recorded ones' if recorded else 'made up'}")
    missed = False
    for figure in _measure(options, recorded):
        missed |= not figure.ok
        print(json.dumps(figure.as_json()), flush=True)
    return int(missed)


def _measure(options: argparse.Namespace, recorded: Path | None) -> Iterator[Figure]:
    if options.only in {"", "start"}:
        yield from measure_start()
    if options.only in {"", "comparison"}:
        yield from _measure_comparison(options.count, recorded)
    if options.only in {"", "lists"}:
        yield from measure_lists(options.findings)
    if options.only in {"", "scans"}:
        yield from measure_scans(options.scanned, recorded)
    if options.only in {"", "rounds"}:
        yield from measure_rounds(options.tenants, recorded)


def _measure_comparison(count: int, recorded: Path | None) -> Iterator[Figure]:
    documents = make_documents(count, recorded)
    work = make_work(documents)
    _tell(
        f"{len(work.edits)} changed, {len(work.reordered)} reordered, {len(work.refreshed)} refreshed"
    )
    seconds, figures = measure_speed(work, make_work(documents, rewrite_all=True))
    yield from figures
    yield from compare_peers(work, seconds / count)
    yield from measure_packing(documents)
    yield measure_memory(work, copies=10)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.py bench", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000, help="documents (default 10000)")
    parser.add_argument(
        "--scanned", type=int, default=100_000, help="resources of a scan (default 100000)"
    )
    parser.add_argument(
        "--only",
        choices=["start", "comparison", "lists", "scans", "rounds"],
        default="",
        help="one part of it",
    )
    parser.add_argument(
        "--findings", type=int, default=10_000, help="of the tenant whose pages are measured"
    )
    parser.add_argument(
        "--tenants", type=int, default=100, help="of a round of scans (default 100)"
    )
    parser.add_argument("--documents", type=Path, help="JSON Lines of ARM documents, gzipped")
    return parser.parse_args()


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
