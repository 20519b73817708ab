"""Who may try to get in, in which role towards which tenant."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from dev.demo.client import principal_header
from tenancy.principal import PLATFORM_ROLE
from tests.api.members import header_of
from tests.drift.watched import Watched
from tests.isolation.planted import MEMBERS, Planted


@dataclass(frozen=True)
class Cast:
    """Who asks: `headers(role, tenant)` signs somebody in who plays that role towards a tenant."""

    own: Planted
    shut: Mapping[str, Watched]
    platform: str  # sign-in header of a platform operator

    def target(self, role: str, tenant: Planted) -> str:
        """The tenant that somebody in this role asks for."""
        return self.shut[role].tenant_id if role in self.shut else tenant.tenant_id

    def headers(self, role: str, tenant: Planted) -> dict[str, str]:
        chosen = {} if role == "outside" else {"X-Tenant-Id": self.target(role, tenant)}
        header = self._sign_in(role, tenant)
        return chosen | ({"X-MS-CLIENT-PRINCIPAL": header} if header else {})

    def _sign_in(self, role: str, tenant: Planted) -> str:
        directory, somebody = tenant.ids["directory_id"], str(uuid.uuid4())
        if role in MEMBERS:
            theirs = tenant.people[role]
            # Pages greet whoever looks at them: under the attacked tenant's canary it would be found there.
            return theirs if tenant is self.own else rename(theirs, role)
        if role in self.shut:
            return str(self.shut[role].organisation.admin_header)
        made = {
            "nobody": "",
            "stranger": principal_header(str(uuid.uuid4()), somebody, "Eve"),
            "daemon": header_of(directory, somebody, idtyp="app"),
            "impostor": principal_header(directory, somebody, "Mal", PLATFORM_ROLE),
            "neighbour": self.own.people["admin"],
            "outside": self.platform,
            "inside": self.platform,
        }
        return made[role]


def rename(header: str, name: str) -> str:
    """The same principal with another name."""
    document = json.loads(base64.b64decode(header))
    others = [claim for claim in document["claims"] if claim["typ"] != "name"]
    document["claims"] = [*others, {"typ": "name", "val": name}]
    return base64.b64encode(json.dumps(document).encode()).decode()
