"""What an app acknowledged at synth, `breakwater check` of its cloud assembly does not report again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import Acknowledgment, App, NestedStack, Stack, Stage, Validations
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs
from typer.testing import CliRunner

from cdk_breakwater.checks.downstream_checks import DownstreamChecks
from cdk_breakwater.cli.main import app as command

from .stacks import function

if TYPE_CHECKING:
    from pathlib import Path

    from constructs import Construct


def acknowledge(construct: Construct, *rules: str) -> None:
    for rule in rules:
        Validations.of(construct).acknowledge(Acknowledgment(id=f"Breakwater::{rule}", reason="it is meant"))


def found(assembly: Path) -> set[str]:
    result = CliRunner().invoke(command, ["check", str(assembly), "--format", "json"], catch_exceptions=False)
    return {each["rule"] for each in json.loads(result.stdout)["findings"]}


@pytest.mark.parametrize("context", [{}, {"aws:cdk:enable-asset-metadata": True, "aws:cdk:enable-path-metadata": True}])
def test_acknowledged_at_the_construct_or_above(context: dict[str, Any], tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path), context=context)
    nested = NestedStack(Stack(Stage(app, "Prod"), "Shop"), "Orders")
    queue = sqs.Queue(nested, "Queue")
    other = sqs.Queue(nested, "Other")
    work = function(nested)
    for each in (queue, other):
        work.add_event_source(sources.SqsEventSource(each))
    acknowledge(queue, "QueueDeadLetterQueue")
    acknowledge(nested, "BatchItemFailures")
    app.synth()
    result = CliRunner().invoke(command, ["check", str(tmp_path), "--format", "json"], catch_exceptions=False)
    (finding,) = json.loads(result.stdout)["findings"]
    assert (finding["rule"], finding["resource"]) == ("QueueDeadLetterQueue", "Other34654A52")


def test_acknowledged_at_the_app_or_a_stage(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    Validations.of(app).add_plugins(DownstreamChecks())
    stage = Stage(app, "Prod")
    stack = Stack(stage, "Shop")
    function(stack).add_event_source(sources.SqsEventSource(sqs.Queue(stack, "Queue")))
    acknowledge(app, "QueueDeadLetterQueue")
    acknowledge(stage, "BatchItemFailures")
    app.synth()
    assert found(tmp_path) == set()
    (tmp_path / "validation-report.json").write_text('{"pluginReports": [{"suppressedViolations": 1}]}')
    assert found(tmp_path) == {"BatchItemFailures", "QueueDeadLetterQueue"}


def test_damaged_metadata_excepts_nothing(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    stack = Stack(app, "Shop")
    queue = sqs.Queue(stack, "Queue")
    function(stack).add_event_source(sources.SqsEventSource(queue))
    acknowledge(queue, "QueueDeadLetterQueue", "QueueVisibilityTimeout")
    app.synth()
    assert found(tmp_path) == {"BatchItemFailures"}
    (tmp_path / "Shop.metadata.json").write_text("[]")
    assert found(tmp_path) == {"BatchItemFailures", "QueueDeadLetterQueue"}
