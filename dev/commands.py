"""The commands of dev.py: prepares the environment a command runs in, then becomes that command.

Standard library only, as everything that runs before the virtual environment exists.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from dev.installation import PROJECT, Installation, InstallationError
from dev.interpreters import InterpreterError


@dataclass(frozen=True, slots=True)
class Command:
    purpose: str
    program: tuple[str, ...]  # arguments of the environment's Python
    locks: tuple[Path, ...] = ()  # further packages that this command alone needs
    needs_node: bool = True


COMMANDS = {
    "demo": Command(
        "two tenants in a local cloud: watch real drift being found, then look around in the app",
        ("-m", "dev.demo"),
    ),
    "test": Command(
        "ruff, mypy and pytest   [--all] [--tests-only] [pytest's own arguments]",
        ("-m", "dev.checks"),
    ),
    "serve": Command(
        "the app alone, on whatever Azure the environment's settings name   [--port 7071]",
        ("-m", "dev.host", "--app", str(PROJECT)),
    ),
    "assets": Command(
        "puts the pages' locked scripts into web/static, for a deployment to pack",
        ("-c", "print('web/static is complete.')"),
    ),
    "shots": Command(
        "screenshots of the main pages with the demo's data, into docs/pages",
        ("-m", "dev.shots"),
    ),
    "bench": Command(
        "how fast the comparison is, beside other libraries, and what a scan and a cold start cost",
        ("-m", "bench"),
        locks=(PROJECT / "bench" / "requirements.lock",),
        needs_node=False,
    ),
    "doctor": Command(
        "checks a deployment in Azure, line by line   [--environment NAME] [--url URL] [--json]",
        ("-m", "dev.doctor"),
        needs_node=False,
    ),
    "lock": Command(
        "renew the lock files after an edit of requirements or package.json",
        ("-m", "dev.locks"),
    ),
}

USAGE = """usage: python3 dev.py COMMAND [--python VERSION] [arguments]

{commands}

The first run installs what is needed into .venv and node_modules beside this file, and nowhere else.
--python 3.13 runs the command on another installed interpreter, in an environment of its own.
python3 dev.py COMMAND --help shows the command's own arguments.
"""


def main(arguments: list[str]) -> None:
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        print(_usage())
        return
    name, *rest = arguments
    command = COMMANDS.get(name)
    if command is None:
        sys.exit(f"dev.py: there is no command {name!r}.\n\n{_usage()}")
    python, rest = take_python(rest)
    try:
        interpreter = Installation().prepare(
            python, extra_locks=command.locks, node=command.needs_node
        )
    except (InstallationError, InterpreterError) as error:
        sys.exit(f"dev.py: {error}")
    except KeyboardInterrupt:
        sys.exit("dev.py: interrupted; the next run continues where this one stopped.")
    os.chdir(PROJECT)
    os.execv(interpreter, [str(interpreter), *command.program, *rest])  # noqa: S606 (no shell)


def take_python(arguments: list[str]) -> tuple[str | None, list[str]]:
    """The value of --python and the other arguments, which are the command's."""
    rest: list[str] = []
    python: str | None = None
    remaining = iter(arguments)
    for argument in remaining:
        if argument == "--python":
            python = next(remaining, None)
            if python is None:
                sys.exit("dev.py: --python needs a version, such as --python 3.13")
        elif argument.startswith("--python="):
            python = argument.partition("=")[2]
        else:
            rest.append(argument)
    return python, rest


def _usage() -> str:
    lines = [f"  {name:<7} {command.purpose}" for name, command in COMMANDS.items()]
    return USAGE.format(commands="\n".join(lines)).rstrip()
