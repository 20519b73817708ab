"""A worker process as Azure runs them: the local Functions host with the app's own triggers. It takes the host's
arguments, and says whenever SIGUSR1 comes what it used so far: one line of JSON.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from collections import Counter
from typing import Any

from azure.core.pipeline.transport import AioHttpTransport

from dev.host.__main__ import main

STORAGE = "/devstoreaccount"
counts: Counter[str] = Counter()
_send = AioHttpTransport.send


async def _counted(self: AioHttpTransport, request: Any, **options: Any) -> Any:
    """Every request of the SDKs passes here, tries and further pages included."""
    if STORAGE in request.url:
        counts[_kind(request.method, request.url)] += 1
    return await _send(self, request, **options)


def _kind(method: str, url: str) -> str:
    if "/messages" not in url:
        return "reads" if method == "GET" else "writes"
    return "sent" if method == "POST" else "host"  # the host looks at its queues time and again


def _tell(*_: object) -> None:
    used = {**counts, "cpu_seconds": time.process_time()}
    print(json.dumps({"used": used}), file=sys.stderr, flush=True)


if __name__ == "__main__":
    AioHttpTransport.send = _counted  # type: ignore[method-assign]
    signal.signal(signal.SIGUSR1, _tell)
    sys.exit(main())
