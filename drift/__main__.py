"""The command `python -m drift`: `compare`, `report` and `explain` work on files, `status` asks a deployment.

Exit codes are those of `terraform plan -detailed-exitcode`: 0 no drift, 2 drift, 1 error; and 3 from `status` when
nobody can say.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import secrets
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NoReturn

import msgspec

from drift import exports, remote, verdict
from drift.engine.facts import condition_of, explain
from drift.engine.model import Severity
from drift.engine.plan import place_at
from drift.entries import About, Scope, entry_of_files
from drift.inventories import Inventory, read_inventory
from drift.offline import Report, compare_inventories
from drift.renderings import FORMATS
from drift.rulefile import parse_rules
from drift.verdict import DRIFT, ERROR, NO_DRIFT
from errors import DriftError

HTML = "html"
PATIENCE, REQUEST = 1800.0, 30.0  # seconds, for a scan and for one request
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
        return _run(options)
    except DriftError as error:
        return _fail(error.message)
    except OSError as error:
        return _fail(f"{error.filename or 'output'}: {error.strerror}")


def _run(options: argparse.Namespace) -> int:
    match options.command:
        case "explain":
            return _explain(options.type, options.path)
        case "status":
            return asyncio.run(_status(options))
        case _:
            return _compare(options)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m drift", description="Find drift, report it, ask for it.")
    commands = parser.add_subparsers(dest="command", required=True)
    compare = commands.add_parser("compare", help="what differs between two inventories")
    _add_inventories(compare)
    compare.add_argument("--format", choices=FORMATS, default="text")
    compare.add_argument("--stats", action="store_true", help="figures on standard error")
    report = commands.add_parser("report", help="the same as a file for people or programs")
    _add_inventories(report)
    report.add_argument("--format", choices=[HTML, *exports.KINDS], default=HTML)
    report.set_defaults(stats=False)
    _add_status(commands.add_parser("status", help="how a tenant of a deployment stands"))
    why = commands.add_parser("explain", help="why a path is compared or not")
    why.add_argument("type", metavar="TYPE", help="Microsoft.Network/virtualNetworks")
    why.add_argument("path", metavar="PATH", help="/properties/subnets/[name=web]/etag")
    return parser


def _add_inventories(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("before", metavar="BEFORE", help="JSON Lines, a JSON array, or an answer")
    parser.add_argument("after", metavar="AFTER", help="with `data` (Resource Graph) or `value`")
    parser.add_argument("--rules", metavar="FILE", help="rules that ignore or set severity")
    parser.add_argument("--lenient", action="store_true", help="count broken lines and go on")


def _add_status(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", required=True, help="of the deployment")
    parser.add_argument("--tenant", required=True, metavar="ID", help="id of the tenant")
    parser.add_argument("--client-id", metavar="ID", help="of the app registration that signs in")
    parser.add_argument("--scope", help="in place of --client-id: what a token is wanted for")
    parser.add_argument(
        "--severity",
        choices=[one.value for one in Severity],
        default=Severity.INFORMATIONAL.value,
        help="what is milder counts as nothing (default: everything counts)",
    )
    parser.add_argument("--format", choices=verdict.FORMATS, default="text")
    parser.add_argument("--scan", action="store_true", help="start a scan first, and wait for it")
    parser.add_argument("--wait", action="store_true", help="wait for a scan that is running")
    parser.add_argument("--patience", type=float, default=PATIENCE, help="seconds for a scan")
    parser.add_argument("--timeout", type=float, default=REQUEST, help="seconds for one request")


async def _status(options: argparse.Namespace) -> int:
    url = remote.check_url(options.url)
    client = f"{options.client_id}/.default" if options.client_id else ""
    headers = await remote.sign_in(options.scope or client, options.timeout)
    found = await verdict.judge(
        remote.Remote(url, options.tenant, headers, options.timeout),
        Severity(options.severity),
        scan=options.scan,
        wait=options.wait,
        patience=options.patience,
    )
    sys.stdout.write(verdict.FORMATS[options.format](found))
    return found.code


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
        if options.command == "report":
            sys.stdout.buffer.writelines(_files_report(options, before, after, report))
        else:
            FORMATS[options.format](report, sys.stdout.buffer, after=options.after)
        sys.stdout.buffer.flush()
    if options.stats:
        sys.stderr.write(_stats(before, after, report, time.perf_counter() - started))
    return DRIFT if report.drifted else NO_DRIFT


def _files_report(
    options: argparse.Namespace, before: Inventory, after: Inventory, found: Report
) -> Iterator[bytes]:
    title = f"{Path(options.before).name} → {Path(options.after).name}"
    skipped = (before.skipped + after.skipped + found.skipped).total()
    about = About(title, datetime.now(UTC), scopes=_left_out(skipped), artifact=options.after)
    entries = (entry_of_files(one) for one in found)
    if options.format != HTML:
        yield from exports.write(options.format, about, entries)
        return
    # The pages' templates, which nothing else here needs.
    from drift.reports import Comparison, report_of_files
    from web.report_file import render_text

    comparison = Comparison(found.unchanged, found.ignored + found.explained, skipped)
    yield render_text(report_of_files(about, entries, found.severities, comparison)).encode()


def _left_out(lines: int) -> tuple[Scope, ...]:
    """What --lenient went past is unknown, in every form of the report."""
    reason = f"{lines} lines could not be read and were left out."
    return (Scope("", "lines left out", "unknown", reason),) if lines else ()


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
