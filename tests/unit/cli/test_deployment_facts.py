"""`breakwater measure-deployments`: what it reads out of a stack's events, and that it does nothing unasked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from cdk_breakwater.cli.deployment_facts import DeploymentFacts, _template, _went_back_in_order


def events(*pairs: str) -> list[dict[str, Any]]:
    return [dict(zip(("LogicalResourceId", "ResourceStatus"), pair.split(), strict=True)) for pair in pairs]


FORWARD = events("First UPDATE_IN_PROGRESS", "First UPDATE_COMPLETE", "Second UPDATE_IN_PROGRESS")
BACK = events("stack UPDATE_ROLLBACK_IN_PROGRESS")


def test_the_order_of_the_rollback_alone_counts() -> None:
    ordered = events("First UPDATE_IN_PROGRESS", "First UPDATE_COMPLETE", "Second UPDATE_IN_PROGRESS")
    at_once = events("First UPDATE_IN_PROGRESS", "Second UPDATE_IN_PROGRESS", "First UPDATE_COMPLETE")
    assert _went_back_in_order([*FORWARD, *BACK, *ordered])
    assert not _went_back_in_order([*FORWARD, *BACK, *at_once])
    assert not _went_back_in_order([*FORWARD, *BACK])


def test_it_says_what_it_means() -> None:
    assert DeploymentFacts(True, False).sentences() == [
        "A rollback follows the dependencies, as the guard needs it.",
        "A reservation that does not change is left alone when a function's code changes; the guard holds either way.",
    ]
    assert "so that a rollback may exceed a budget" in DeploymentFacts(False, True).sentences()[0]


def test_only_one_thing_changes_in_each_step() -> None:
    before, again = _template(1)["Resources"], _template(1, code="again")["Resources"]
    reserved = "ReservedConcurrentExecutions"
    assert before["First"]["Properties"][reserved] == again["First"]["Properties"][reserved]
    assert before["First"]["Properties"]["Code"] != again["First"]["Properties"]["Code"]


def test_without_yes_it_does_nothing() -> None:
    # without credentials, a Region and an endpoint: a call would fail
    command = [Path(sys.executable).with_name("breakwater"), "measure-deployments"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={"AWS_EC2_METADATA_DISABLED": "true"}
    )
    assert "Say it again with --yes" in done.stdout
