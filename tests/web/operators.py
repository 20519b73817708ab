"""How a platform operator signs in."""

from __future__ import annotations

import uuid

from dev.demo.client import principal_header
from settings import Settings


def operator_header(settings: Settings) -> str:
    who = str(uuid.uuid4())
    return principal_header(settings.platform_directory_id, who, "Pia", "Platform.Operator")
