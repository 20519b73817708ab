"""What the host reads before it starts: host.json, local.settings.json and the settings that bindings name."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class HostError(Exception):
    """The app cannot be served; the message names the file, function or setting."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSettings:
    """host.json `extensions.queues`; the defaults are the real host's."""

    batch_size: int = 16
    new_batch_threshold: int = 8
    max_dequeue_count: int = 5
    visibility_timeout: float = 0.0
    max_polling_interval: float = 60.0
    base64: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSettings:
    route_prefix: str = "api"
    queues: QueueSettings = QueueSettings()


def read_host_settings(app: Path) -> HostSettings:
    file = app / "host.json"
    if not file.exists():
        raise HostError(f"{file} is missing: a function app needs one.")
    extensions = _read_json(file).get("extensions", {})
    prefix = extensions.get("http", {}).get("routePrefix", HostSettings().route_prefix)
    return HostSettings(
        route_prefix=prefix.strip("/"), queues=_queues(extensions.get("queues", {}))
    )


def load_local_settings(app: Path, environment: MutableMapping[str, str] = os.environ) -> None:
    """local.settings.json fills in what the environment does not say; it never overrides it."""
    file = app / "local.settings.json"
    if file.exists():
        for name, value in _read_json(file).get("Values", {}).items():
            environment.setdefault(name, str(value))


def expand(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """Replaces every %NAME% by the setting of that name, as bindings may use them."""

    def replace(found: re.Match[str]) -> str:
        if found[1] not in environment:
            raise HostError(f"the setting {found[1]} is missing; a binding uses it as {text}")
        return environment[found[1]]

    return re.sub(r"%([^%]+)%", replace, text)


def parse_timespan(text: str) -> float:
    """Seconds of .NET's [d.]hh:mm:ss[.fff]."""
    found = re.fullmatch(r"(?:(\d+)\.)?(\d{1,2}):(\d{2}):(\d{2}(?:\.\d+)?)", text)
    if not found:
        raise HostError(f"host.json: a time is written hh:mm:ss, not {text!r}")
    days, hours, minutes, seconds = found.groups()
    return (int(days or 0) * 24 + int(hours)) * 3600 + int(minutes) * 60 + float(seconds)


def _queues(values: Mapping[str, Any]) -> QueueSettings:
    defaults = QueueSettings()
    batch_size = int(values.get("batchSize", defaults.batch_size))
    encoding = values.get("messageEncoding", "base64")
    if encoding not in {"base64", "none"} or not 1 <= batch_size <= 32:
        raise HostError(
            "host.json: queues need batchSize 1 to 32 and messageEncoding base64 or none"
        )
    return QueueSettings(
        batch_size=batch_size,
        new_batch_threshold=int(values.get("newBatchThreshold", batch_size // 2)),
        max_dequeue_count=int(values.get("maxDequeueCount", defaults.max_dequeue_count)),
        visibility_timeout=parse_timespan(values.get("visibilityTimeout", "00:00:00")),
        max_polling_interval=parse_timespan(values.get("maxPollingInterval", "00:01:00")),
        base64=encoding == "base64",
    )


def _read_json(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise HostError(f"{file} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise HostError(f"{file} must be a JSON object")
    return value
