"""`dev.py mutate`: mutates modules, runs their tests against every mutant, and compares what survives with the list."""

from __future__ import annotations

import argparse
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from dev.azurite import MOST_ACCOUNTS
from dev.cloud import LocalCloud
from dev.mutation.acceptance import (
    LIST,
    AcceptanceError,
    Difference,
    compare,
    read_accepted,
    write_line,
)
from dev.mutation.modules import ModuleError, all_modules, choose, mirrored_tests
from dev.mutation.originals import OriginalError, refuse_faulty_originals
from dev.mutation.verdicts import VerdictError, Verdicts, read_verdicts
from dev.mutation.workspace import WORKSPACE, prepare_workspace
from dev.processes import ProcessError, exit_on_terminate

MUTMUT = Path(sys.executable).parent / "mutmut"


class MutationError(Exception):
    """mutmut did not run, or not to its end; the message carries the end of what it printed."""


def main() -> int:
    options = _parse()
    exit_on_terminate()
    try:
        modules = all_modules() if options.all else choose(options.modules)
        accepted = read_accepted(LIST.read_text(encoding="utf-8").splitlines())
        started = time.monotonic()
        verdicts = mutate(modules)
    except KeyboardInterrupt:
        return 130
    except (
        AcceptanceError,
        ModuleError,
        MutationError,
        OriginalError,
        ProcessError,
        VerdictError,
    ) as error:
        sys.exit(f"dev.py mutate: {error}")
    difference = compare(verdicts.survivors, accepted, modules)
    _report(verdicts, difference, time.monotonic() - started)
    return 1 if difference.unexpected or difference.outdated else 0


def mutate(modules: Sequence[str]) -> Verdicts:
    """Each module against its own tests, in one cloud."""
    found = [(module, mirrored_tests(module)) for module in modules]
    counts: dict[str, int] = {}
    survivors = []
    with _alone(), LocalCloud(accounts=MOST_ACCOUNTS) as cloud, cloud.lent() as environment:
        for module, tests in found:
            print(f"{module}: {', '.join(tests)}", flush=True)
            prepare_workspace(module, tests)
            verdicts = _run(module, environment)
            print(f"  {_summary(verdicts.counts)}", flush=True)
            survivors += verdicts.survivors
            for status, count in verdicts.counts.items():
                counts[status] = counts.get(status, 0) + count
    return Verdicts(counts, survivors)


@contextmanager
def _alone() -> Iterator[None]:
    """A second run would take the mutants away under the first."""
    WORKSPACE.mkdir(exist_ok=True)
    folder = os.open(WORKSPACE, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            told = "another run is at work in .mutation; wait for its end."
            raise MutationError(told) from None
        yield
    finally:
        os.close(folder)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.py mutate", description=__doc__)
    parser.add_argument("modules", nargs="*", help="such as tenancy/roles.py or tenancy.roles")
    parser.add_argument("--all", action="store_true", help="every module that is mutated")
    options = parser.parse_args()
    if bool(options.modules) == options.all:
        parser.error("name the modules, or say --all")
    return options


def _run(module: str, environment: Mapping[str, str]) -> Verdicts:
    # One mutant at a time: the simulated Azure has one list of faults for all who ask it.
    _mutmut(environment, "run", "--max-children", "1")
    mutants = WORKSPACE / "mutants"
    refuse_faulty_originals(module, mutants)
    return read_verdicts(_mutmut(environment, "results", "--all", "true"), mutants)


def _mutmut(environment: Mapping[str, str], *arguments: str) -> str:
    ended = subprocess.run(
        [MUTMUT, *arguments],
        cwd=WORKSPACE,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    if ended.returncode:
        raise MutationError(
            f"mutmut {arguments[0]} ended with {ended.returncode}:\n{ended.stdout[-6000:]}"
        )
    return ended.stdout


def _report(verdicts: Verdicts, difference: Difference, seconds: float) -> None:
    for mutant in difference.unexpected:
        print(f"survived, and no reason is given:\n{write_line(mutant, '')}")
    for mutant in difference.outdated:
        print(f"in the list, and does not survive:\n{write_line(mutant, '')}")
    accepted = len(verdicts.survivors) - len(difference.unexpected)
    print(
        f"mutants: {_summary(verdicts.counts)}; {accepted} accepted, "
        f"{len(difference.unexpected)} unexpected, {len(difference.outdated)} outdated ({seconds:.0f} s)"
    )


def _summary(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))


if __name__ == "__main__":
    sys.exit(main())
