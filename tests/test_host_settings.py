"""host.json, local.settings.sample.json, settings.py and README agree."""

from __future__ import annotations

import json
import re
from pathlib import Path

from dev.host.configuration import read_host_settings

PROJECT = Path(__file__).resolve().parent.parent
OWN_SETTING = re.compile(
    r"\b(?:DRIFT_[A-Z_]+|AZURE_[A-Z_]+|OTEL_[A-Z_]+|APPLICATIONINSIGHTS_[A-Z_]+)\b"
)


def sample() -> dict[str, str]:
    values: dict[str, str] = json.loads((PROJECT / "local.settings.sample.json").read_text())[
        "Values"
    ]
    return values


def test_host_serves_at_the_root_and_tries_a_message_five_times() -> None:
    settings = read_host_settings(PROJECT)
    assert settings.route_prefix == ""
    queues = settings.queues
    assert (queues.base64, queues.max_dequeue_count, queues.visibility_timeout) == (True, 5, 30)
    assert queues.batch_size + queues.new_batch_threshold == 3


def test_sample_lists_every_setting_that_the_app_reads() -> None:
    read = set(OWN_SETTING.findall((PROJECT / "settings.py").read_text()))
    assert {name for name in sample() if OWN_SETTING.fullmatch(name)} == read


def test_readme_explains_every_setting_of_the_sample() -> None:
    readme = (PROJECT / "README.md").read_text()
    assert [name for name in sample() if f"`{name}`" not in readme] == ["FUNCTIONS_WORKER_RUNTIME"]


def test_readme_gives_a_reason_for_every_setting_of_the_host() -> None:
    """JSON has no room for reasons; a setting without one is a setting that nobody dares to change."""
    readme = (PROJECT / "README.md").read_text().partition("## Why host.json says what it says")[2]
    host = json.loads((PROJECT / "host.json").read_text())
    settings = {*host, *host["extensions"]["queues"], *host["logging"]["logLevel"]}
    settings |= {"routePrefix"}
    without = {name for name in settings if name not in readme}
    assert without == {"version", "extensions", "logging"}


def test_host_waits_before_it_tries_again_and_leaves_room_in_an_instance() -> None:
    queues = json.loads((PROJECT / "host.json").read_text())["extensions"]["queues"]
    hours, minutes, seconds = map(int, queues["visibilityTimeout"].split(":"))
    assert hours * 3600 + minutes * 60 + seconds >= 30
    assert queues["batchSize"] <= 2
    assert queues["newBatchThreshold"] <= 1
