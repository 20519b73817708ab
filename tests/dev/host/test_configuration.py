from __future__ import annotations

import json
from pathlib import Path

import pytest

from dev.host.configuration import (
    HostError,
    HostSettings,
    expand,
    load_local_settings,
    parse_timespan,
    read_host_settings,
)


def write_host(folder: Path, **extensions: object) -> Path:
    (folder / "host.json").write_text(json.dumps({"version": "2.0", "extensions": extensions}))
    return folder


def test_defaults_are_the_real_hosts(tmp_path: Path) -> None:
    settings = read_host_settings(write_host(tmp_path))
    assert settings == HostSettings()
    assert (settings.route_prefix, settings.queues.batch_size) == ("api", 16)
    assert (settings.queues.new_batch_threshold, settings.queues.visibility_timeout) == (8, 0)


def test_settings_of_host_json_are_read(tmp_path: Path) -> None:
    queues = {"batchSize": 2, "visibilityTimeout": "00:00:30", "messageEncoding": "none"}
    settings = read_host_settings(write_host(tmp_path, http={"routePrefix": ""}, queues=queues))
    assert settings.route_prefix == ""
    assert (settings.queues.batch_size, settings.queues.new_batch_threshold) == (2, 1)
    assert (settings.queues.visibility_timeout, settings.queues.base64) == (30, False)


@pytest.mark.parametrize(
    "queues", [{"batchSize": 33}, {"messageEncoding": "utf-8"}, {"visibilityTimeout": "30"}]
)
def test_settings_that_the_real_host_refuses_are_refused(
    tmp_path: Path, queues: dict[str, object]
) -> None:
    with pytest.raises(HostError, match=r"host\.json"):
        read_host_settings(write_host(tmp_path, queues=queues))


def test_missing_host_json_is_named(tmp_path: Path) -> None:
    with pytest.raises(HostError, match=r"host\.json is missing"):
        read_host_settings(tmp_path)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("00:00:30", 30), ("01:02:03", 3723), ("1.00:00:00", 86400), ("00:00:00.5", 0.5)],
)
def test_timespans_are_read(text: str, seconds: float) -> None:
    assert parse_timespan(text) == seconds


def test_environment_wins_over_local_settings(tmp_path: Path) -> None:
    values = {"Values": {"GIVEN": "file", "MISSING": "file"}}
    (tmp_path / "local.settings.json").write_text(json.dumps(values))
    environment = {"GIVEN": "environment"}
    load_local_settings(tmp_path, environment)
    assert environment == {"GIVEN": "environment", "MISSING": "file"}


def test_setting_in_a_binding_is_expanded_or_named() -> None:
    assert expand("%STAGE%-scans", {"STAGE": "dev"}) == "dev-scans"
    with pytest.raises(HostError, match="STAGE"):
        expand("%STAGE%-scans", {})
