"""Checks a deployment and prints one line a check. Exit 0: all is right, 1: something is not."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence

from dev.doctor.environment import UnknownEnvironmentError, read_environment
from dev.doctor.services import (
    check_identity,
    check_queues,
    check_settings,
    check_tables,
    check_vault,
)
from dev.doctor.site import Site
from dev.doctor.verdicts import Verdict, bad
from tenancy.deployment import Deployment


async def examine(environment: Mapping[str, str], url: str = "") -> AsyncIterator[Verdict]:
    """All checks in the order in which they are to be mended."""
    verdict, settings = check_settings(environment)
    yield verdict
    if settings is not None:
        deployment = Deployment(settings)
        try:
            for check in (check_identity, check_tables, check_queues, check_vault):
                yield await check(deployment)
        finally:
            await deployment.close()
    url = url or environment.get("DRIFT_URL", "")
    if not url:
        yield bad("address", "DRIFT_URL is missing.", "azd env refresh, or --url https://…")
        return
    site = Site(url)
    try:
        for found in await site.check_health():
            yield found
        yield await site.check_anonymous_api()
        yield await site.check_anonymous_page()
        yield await site.check_forged_principal()
        yield await site.check_host_keys()
    finally:
        await site.close()


async def _tell(environment: Mapping[str, str], options: argparse.Namespace) -> int:
    failed = 0
    async for verdict in examine(environment, options.url):
        failed += not verdict.ok
        text = json.dumps(verdict.as_json()) if options.json else verdict.as_line()
        print(text, flush=True)
    return int(failed > 0)


def main(arguments: Sequence[str]) -> int:
    options = _parse(arguments)
    try:
        environment = read_environment(options.environment)
    except UnknownEnvironmentError as error:
        print(f"doctor: {error}", file=sys.stderr)
        return 1
    return asyncio.run(_tell(environment, options))


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.py doctor", description=__doc__)
    parser.add_argument(
        "--environment", "-e", default="", help="azd environment (default: azd's own default)"
    )
    parser.add_argument("--url", default="", help="address of the app (default: DRIFT_URL)")
    parser.add_argument("--json", action="store_true", help="one JSON object a check")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
