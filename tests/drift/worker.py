"""`python -m tests.drift.worker`: one instance of the app's queue side, in a process of its own that can be killed.

The consumers, the queues and the SDKs are the real ones. Only what would take minutes is short: a dead holder's lease,
the time for which a dead instance's messages stay hidden; and a page has few rows, so that a small world has several.
"""

from __future__ import annotations

import asyncio
import os
import sys

from drift import collect, lease
from settings import read_settings
from tenancy.deployment import Deployment
from tests.drift.host import Host

HIDDEN = 1  # seconds
PAGE_SIZE = 5
IDLE = 0.05  # seconds between two looks into the queues


async def work() -> None:
    """Until stdin ends: whoever started this holds the other end."""
    from azure.storage.queue.aio import QueueServiceClient

    lease.LEASE_SECONDS = HIDDEN
    collect.PAGE_SIZE = PAGE_SIZE
    settings = read_settings(os.environ)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), ended.set)
    deployment = Deployment(settings)
    async with QueueServiceClient.from_connection_string(
        settings.storage_connection_string
    ) as queues:
        host = Host(deployment, queues, hidden=HIDDEN)
        print('{"ready": true}', flush=True)  # noqa: T201 - what the parent waits for
        while not ended.is_set():
            for error in await host.drain():
                print(f"{type(error).__name__}: {error}", flush=True)  # noqa: T201
            await asyncio.sleep(IDLE)
    await deployment.close()


if __name__ == "__main__":
    asyncio.run(work())
