from __future__ import annotations

import httpx2

from dev.stack import LocalStack


def test_app_answers_and_again_after_its_host_was_killed() -> None:
    with LocalStack() as stack:
        assert httpx2.get(f"{stack.url}/healthz", timeout=20).status_code == 200
        stack.kill_host()
        stack.start_host()
        assert httpx2.get(f"{stack.url}/healthz", timeout=20).status_code == 200
