"""The offline command: `python -m drift compare BEFORE AFTER` and `python -m drift explain TYPE PATH`.

Exit codes are those of `terraform plan -detailed-exitcode`: 0 no drift, 2 drift, 1 error.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NoReturn

import msgspec

from drift.engine.facts import condition_of, explain
from drift.engine.plan import place_at
from drift.inventories import Inventory, read_inventory
from drift.offline import Report, compare_inventories
from drift.renderings import FORMATS
from drift.rulefile import parse_rules
from errors import DriftError

NO_DRIFT, ERROR, DRIFT = 0, 1, 2
_REDACTED = "a secret: told as changed, never shown; where an answer masks it or leaves it out, nothing is said"
_SHOWN = "a secret that Azure answers with: told as changed, added or removed, never shown"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """argparse would exit with 2, which means drift here."""
        self.print_usage(sys.stderr)
        self.exit(ERROR, f"{self.prog}: error: {message}\n")


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    try:
        if options.command == "explain":
            return _explain(options.type, options.path)
        return _compare(options)
    except DriftError as error:
        return _fail(error.message)
    except OSError as error:
        return _fail(f"{error.filename or 'output'}: {error.strerror}")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m drift", description="Find drift without Azure at hand.")
    commands = parser.add_subparsers(dest="command", required=True)
    compare = commands.add_parser("compare", help="what differs between two inventories")
    compare.add_argument("before", metavar="BEFORE", help="JSON Lines, a JSON array, or an answer")
    compare.add_argument("after", metavar="AFTER", help="with `data` (Resource Graph) or `value`")
    compare.add_argument("--rules", metavar="FILE", help="rules that ignore or set severity")
    compare.add_argument("--format", choices=FORMATS, default="text")
    compare.add_argument("--stats", action="store_true", help="figures on standard error")
    compare.add_argument("--lenient", action="store_true", help="count broken lines and go on")
    why = commands.add_parser("explain", help="why a path is compared or not")
    why.add_argument("type", metavar="TYPE", help="Microsoft.Network/virtualNetworks")
    why.add_argument("path", metavar="PATH", help="/properties/subnets/[name=web]/etag")
    return parser


def _compare(options: argparse.Namespace) -> int:
    started = time.perf_counter()
    rules = parse_rules(Path(options.rules).read_bytes(), options.rules) if options.rules else ()
    with contextlib.ExitStack() as stack:
        before, after = (
            read_inventory(name, stack.enter_context(_open(name)), lenient=options.lenient)
            for name in (options.before, options.after)
        )
        report = stack.enter_context(Report())
        # Secrets are compared by a hash whose key nobody has: a report can be shown around.
        compare_inventories(
            before,
            after,
            report,
            rules=rules,
            now=datetime.now(UTC),
            secret_key=secrets.token_bytes(32),
            lenient=options.lenient,
        )
        FORMATS[options.format](report, sys.stdout.buffer, after=options.after)
        sys.stdout.buffer.flush()
    if options.stats:
        sys.stderr.write(_stats(before, after, report, time.perf_counter() - started))
    return DRIFT if report.drifted else NO_DRIFT


def _explain(resource_type: str, path: str) -> int:
    answer = explain(resource_type, path)
    verdict = "compared" if answer.compared else "not compared"
    sys.stdout.write(f"{answer.resource_type} {answer.path}\n{verdict}: {answer.reason}\n")
    for fact in answer.facts:
        if answer.compared and (condition := condition_of(fact)):
            sys.stdout.write(f"  but not {condition}\n")
        sys.stdout.write(f"  {fact.kind} {fact.path}: {fact.reason} (source: {fact.source})\n")
    place = place_at(resource_type, path)
    if answer.compared and place is not None and place.secret:
        sys.stdout.write(f"  {_SHOWN if place.shown else _REDACTED}\n")
    return NO_DRIFT


def _stats(before: Inventory, after: Inventory, report: Report, seconds: float) -> str:
    figures = {
        "documents": {"before": before.documents, "after": after.documents},
        "bytes": {"before": before.size, "after": after.size},
        "seconds": round(seconds, 3),
        "unchanged": report.unchanged,
        "findings": dict(report.severities),
        "explained": report.explained,
        "ignored": report.ignored,
        "skipped": dict(before.skipped + after.skipped + report.skipped),
    }
    return msgspec.json.encode(figures).decode() + "\n"


def _open(name: str) -> BinaryIO:
    return Path(name).open("rb")


def _fail(message: str) -> int:
    sys.stderr.write(f"error: {message}\n")
    return ERROR


def _end() -> None:
    code = main(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


if __name__ == "__main__":
    _end()
