"""Answers are counted by area and status, never by what was asked for; our own faults wake somebody up."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import httpx2 as httpx
import pytest
from fastapi import FastAPI

import telemetry
from api.middleware import LARGEST_BODY, Guard
from tests.told import Told


@pytest.fixture
def told() -> Iterator[Told]:
    yield Told()
    telemetry.stop()


def answers(told: Told) -> dict[tuple[str, int], int]:
    return {
        (attributes["area"], attributes["status"]): point.value
        for name, attributes, point in told.points()
        if name == "drift.http.answers"
    }


async def test_answers_are_counted_by_area_and_status(
    admin: httpx.AsyncClient, tenant_id: str, told: Told
) -> None:
    await admin.get("/api/findings")
    await admin.get("/api/findings?status=open")
    await admin.get("/api/findings/no-such-finding")
    await admin.get(f"/t/{tenant_id}/")
    await admin.get("/api/no-such-area/secret-name")
    assert answers(told) == {
        ("findings", 200): 2,
        ("findings", 404): 1,
        ("pages", 200): 1,
        ("pages", 404): 1,
    }


async def test_fault_of_ours_is_in_the_log_for_the_alert(
    told: Told, caplog: pytest.LogCaptureFixture
) -> None:
    app = FastAPI()
    app.add_middleware(Guard, largest_body=LARGEST_BODY)

    @app.get("/api/broken/{name}")
    async def broken(name: str) -> None:
        raise RuntimeError(name)

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        answer = await client.get("/api/broken/hunter2")
        refused = await client.get("/api/broken")
    assert (answer.status_code, refused.status_code) == (500, 404)
    assert answers(told)["broken", 500] == 1
    (said,) = [one for one in caplog.records if one.message == "answered with a server error"]
    assert said.levelno == logging.ERROR
    assert (said.area, said.status) == ("broken", 500)
    assert said.request_id == answer.headers["x-ms-request-id"]
