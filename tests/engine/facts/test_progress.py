"""Whether Azure is still working on a resource."""

from __future__ import annotations

import pytest

from drift.engine.facts.progress import unfinished_state


@pytest.mark.parametrize("state", ["Updating", "creating", "InProgress", "Waiting To Provision"])
def test_running_operation_is_named(state: str) -> None:
    assert unfinished_state({"properties": {"provisioningState": state}}) == state


def test_a_backup_whose_protection_is_being_moved_is_in_progress() -> None:
    moving = {"properties": {"currentProtectionState": "UpdatingProtection"}}
    assert unfinished_state(moving) == "UpdatingProtection"


@pytest.mark.parametrize("state", ["Succeeded", "Failed", "Canceled", "Deployed", None, 3])
def test_final_state_is_settled(state: object) -> None:
    assert unfinished_state({"properties": {"provisioningState": state}}) == ""


def test_operation_on_a_part_counts_and_its_name_has_any_letter_case() -> None:
    part = {"name": "a", "properties": {"ProvisioningState": "Deleting"}}
    assert unfinished_state({"properties": {"subnets": [{"name": "b"}, part]}}) == "Deleting"


def test_a_tag_that_says_updating_is_no_operation() -> None:
    assert unfinished_state({"tags": {"state": "Updating"}, "properties": {}}) == ""
