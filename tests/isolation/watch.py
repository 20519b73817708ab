"""A watch over what a try must not touch and not show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx2 as httpx
import pytest

from tests.isolation.planted import Cellar, Planted, State, seen_in
from tests.isolation.policy import Line


@dataclass
class Watch:
    """What belongs to the tenant under attack, before and after. `look` is called with every answer to others."""

    cellar: Cellar
    own: Planted
    foreign: Planted
    wire: httpx.AsyncClient
    since: datetime
    before: State

    def look(self, answer: httpx.Response, why: object = "", *, sent: str = "") -> httpx.Response:
        assert answer.status_code < 500, (why, answer.text)
        held = seen_in(answer, self.foreign.canaries, sent=sent)
        assert held == [], (why, answer.status_code)
        return answer

    async def ask(
        self,
        line: Line,
        ids: Mapping[str, str],
        headers: Mapping[str, str],
        *,
        foreign: tuple[str, str, str] | None = None,
    ) -> httpx.Response:
        """`foreign` puts that value in one spot. A page may show what was asked for, such as a filter."""
        made = line.request(ids, foreign)
        made["headers"] = made["headers"] | dict(headers)
        sent = foreign[2] if foreign and line.is_page else ""
        return self.look(await self.wire.request(**made), line.name, sent=sent)

    async def check(self, caplog: pytest.LogCaptureFixture) -> None:
        logged = "\n".join(f"{one.getMessage()} {one.__dict__}" for one in caplog.records)
        assert [text for text in self.foreign.texts if text in logged] == []
        assert await self.cellar.state_of(self.foreign.tenant_id) == self.before
        for message in self.cellar.seen:
            if message["tenant_id"] != self.foreign.tenant_id:
                held = [one for one in self.foreign.canaries if one in str(message)]
                assert held == [], message

    async def denials(self) -> list[dict[str, Any]]:
        """The rows in the attacker's own audit trail that tell of this try."""
        return [
            row
            for row in await self.cellar.audit_of(self.own.tenant_id)
            if row["action"] == "access.denied" and row["target"] == self.foreign.tenant_id
            if row["at"] >= self.since
        ]
