"""The command behind `python3 dev.py demo`."""

from __future__ import annotations

import argparse
import asyncio
import sys
import threading
import time
from contextlib import ExitStack

from rich.console import Console
from rich.status import Status

from dev.demo.client import ProductError
from dev.demo.people import offered
from dev.demo.receiver import Received, Receiver
from dev.demo.report import as_json, print_report
from dev.demo.story import Outcome, StoryError, tell_story
from dev.processes import ProcessError, exit_on_terminate
from dev.stack import LocalStack

PORT = 7071


def main() -> int:
    arguments = _arguments()
    # Progress goes to standard error, so that --json leaves standard output to the program that reads it.
    progress = Console(stderr=True)
    started = time.monotonic()
    exit_on_terminate()
    try:
        with ExitStack() as parts:
            with progress.status("starting Azurite, the simulated Azure and the app"):
                receiver = parts.enter_context(Receiver())
                stack = parts.enter_context(LocalStack(port=arguments.port, people=offered))
            with progress.status("onboarding") as status:
                outcome = asyncio.run(_tell(stack, receiver, progress, status))
            _show(outcome, stack.url, as_program=arguments.json)
            progress.print(f"Report after {time.monotonic() - started:.1f} s.")
            if not arguments.once:
                _stay(progress, stack.url, receiver)
    except (ProcessError, ProductError, StoryError) as error:
        progress.print(f"[bold red]The demo stopped:[/] {error}", highlight=False)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0 if not (outcome.missed or outcome.false) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="dev.py demo",
        description="Two organisations in a local cloud: onboarding, baselines, drift, findings.",
    )
    parser.add_argument("--once", action="store_true", help="end after the report")
    parser.add_argument("--json", action="store_true", help="the report as JSON")
    parser.add_argument(
        "--port", type=int, default=PORT, help=f"of the app (default {PORT}; busy: another one)"
    )
    return parser.parse_args()


async def _tell(
    stack: LocalStack, receiver: Receiver, progress: Console, status: Status
) -> Outcome:
    def tell(text: str) -> None:
        progress.print(f"  {text}")
        status.update(text)

    directory = stack.environment()["DRIFT_PLATFORM_DIRECTORY_ID"]
    return await tell_story(stack.url, stack.admin_url, directory, receiver, tell)


def _show(outcome: Outcome, url: str, *, as_program: bool) -> None:
    if as_program:
        sys.stdout.write(as_json(outcome, url) + "\n")
        sys.stdout.flush()
    else:
        print_report(Console(), outcome)


def _stay(progress: Console, url: str, receiver: Receiver) -> None:
    """Serves until Ctrl-C, says where to look, and every notice that comes."""

    def tell(notice: Received) -> None:
        said = f"Webhook received, {notice}"
        progress.print(said, highlight=False, markup=False, soft_wrap=True)

    receiver.on_notice = tell
    progress.print(
        f"\nLook around at [bold link={url}]{url}/[/] until Ctrl-C. Its first page offers to sign in as anybody of the "
        "two organisations, or as who runs the platform: nobody is asked for a password here, because it is not in "
        "Azure and listens on loopback only. What a channel tells from now on is shown here: press Test it on the page "
        "Channels of an organisation, or let something drift.\n",
        highlight=False,
    )
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        progress.print("Stopping.")


if __name__ == "__main__":
    sys.exit(main())
