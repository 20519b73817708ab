"""The triggers as the Functions worker indexes them: what is renamed or rebound here changes in Azure too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parent.parent
# The runtime keeps its registry in module globals, once a process: it gets a process of its own.
INDEX = f"""
import asyncio, json, sys
from pathlib import Path
from dev.host.worker import Worker
worker = Worker(Path({str(PROJECT)!r}))
asyncio.run(worker.start())
functions = {{f.name: [f.trigger.type, dict(f.trigger.values)] for f in worker.functions.values()}}
worker.stop()
sys.stdout.write(json.dumps(functions))
"""
STORAGE = "AzureWebJobsStorage"
QUEUES = {
    "scan_tenant": "scan-tenant",
    "scan_subscription": "scan-subscription",
    "deliver_notice": "notices",
    "resource_events": "resource-events",
    "scan_tenant_poison": "scan-tenant-poison",
    "scan_subscription_poison": "scan-subscription-poison",
    "notices_poison": "notices-poison",
    "resource_events_poison": "resource-events-poison",
    "keep_tenant": "keep-tenant",
    "erase_tenant": "erase-tenant",
    "keep_tenant_poison": "keep-tenant-poison",
    "erase_tenant_poison": "erase-tenant-poison",
    "run_job": "jobs",
    "jobs_poison": "jobs-poison",
}
LOCAL = {
    "DRIFT_STORAGE_CONNECTION_STRING": "UseDevelopmentStorage=true",
    "DRIFT_KEY_VAULT_URL": "https://localhost:1",
    "DRIFT_PLATFORM_DIRECTORY_ID": "11111111-1111-4111-8111-111111111111",
}
HEAVY = (
    "aiohttp",
    "azure.identity",
    "azure.keyvault.secrets",
    "azure.mgmt.core",
    "azure.storage.blob",
    "azure.storage.queue",
    "fastapi",
    "msal",
    "pydantic",
)
TIMERS = {"tick": "0 * * * * *", "sweep": "0 30 2 * * *"}


def run(code: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """In a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture(scope="module")
def functions(environment: dict[str, str]) -> dict[str, tuple[str, dict[str, Any]]]:
    answer = run(INDEX, environment)
    assert answer.returncode == 0, answer.stderr
    found: dict[str, tuple[str, dict[str, Any]]] = json.loads(answer.stdout)
    return found


def test_every_queue_has_its_consumer_and_its_poison_its_own(functions: dict[str, Any]) -> None:
    found = {
        name: (values["queueName"], values["connection"])
        for name, (kind, values) in functions.items()
        if kind == "queueTrigger"
    }
    assert found == {name: (queue, STORAGE) for name, queue in QUEUES.items()}


def test_timers_are_on_schedule_and_never_run_at_the_start(functions: dict[str, Any]) -> None:
    """runOnStartup would run them at every scale-out and deployment."""
    found = {
        name: (values["schedule"], values.get("runOnStartup", False))
        for name, (kind, values) in functions.items()
        if kind == "timerTrigger"
    }
    assert found == {name: (schedule, False) for name, schedule in TIMERS.items()}


def test_http_functions_are_named_for_their_area_and_open_to_easy_auth_alone(
    functions: dict[str, Any],
) -> None:
    """Anonymous to the host: who may call is decided by App Service authentication and then by the app."""
    http = {name: values for name, (kind, values) in functions.items() if kind == "httpTrigger"}
    routes = {values["route"] for values in http.values()}
    assert "{*path}" in routes
    for name, values in http.items():
        assert values["authLevel"].upper() == "ANONYMOUS"
        area = name.removeprefix("http_")
        assert values["route"] in {f"api/{area}/{{*rest}}", "{*path}"}


def test_start_imports_only_what_the_triggers_need() -> None:
    """A cold start waits for these imports. FastAPI comes with the first request, an SDK with its first use."""
    assert loaded("") == set()
    assert loaded("function_app.http()") <= {"fastapi", "pydantic", "azure.mgmt.core"}


def test_http_request_does_without_the_clients_of_queues_and_secrets(
    environment: dict[str, str],
) -> None:
    lazy = loaded("function_app.http(); function_app.deployment()", **environment)
    assert lazy & {"azure.storage.queue", "azure.keyvault.secrets", "azure.storage.blob"} == set()


def loaded(program: str, **environment: str) -> set[str]:
    """Which of the heavy packages are there after the import and a piece of program."""
    code = f"import function_app, json, sys; {program or 'pass'}; print(json.dumps([*sys.modules]))"
    answer = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        env={**os.environ, **LOCAL, **environment},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return set(HEAVY) & set(json.loads(answer.stdout))


def test_nothing_else_is_triggered(functions: dict[str, Any]) -> None:
    http = {name for name in functions if name.startswith("http_")}
    assert set(functions) - http == {*QUEUES, *TIMERS}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        pytest.param({"WEBSITE_AUTH_ENABLED": "False"}, "WEBSITE_AUTH_ENABLED", id="A01"),
        pytest.param(
            {"DRIFT_DEVELOPMENT_SIGN_IN": "true"}, "DRIFT_DEVELOPMENT_SIGN_IN", id="sign-in"
        ),
    ],
)
def test_app_does_not_start_in_azure_where_anybody_could_say_who_they_are(
    environment: dict[str, str], change: dict[str, str], named: str
) -> None:
    azure = {
        "WEBSITE_SITE_NAME": "drift",
        "WEBSITE_AUTH_ENABLED": "True",
        "WEBSITE_AUTH_CLIENT_ID": "22222222-2222-4222-8222-222222222222",
        "DRIFT_DEVELOPMENT_SIGN_IN": "",
        "DRIFT_DEVELOPMENT_CHANNELS": "",
    }
    start = run("import function_app", environment | azure | change)
    assert start.returncode == 1
    (line,) = start.stderr.splitlines()  # one line, no stack trace
    assert line.startswith(named)


def test_start_imports_nothing_that_only_some_requests_need(environment: dict[str, str]) -> None:
    """A cold start has thirty seconds in Azure, and somebody waits for it."""
    late = ("jwt", "azure.identity", "azure.keyvault.secrets")
    code = (
        f"import function_app, api.app, sys; print([one for one in {late} if one in sys.modules])"
    )
    start = run(code, environment)
    assert start.returncode == 0, start.stderr
    assert start.stdout.strip() == "[]"
