"""What the command shows, and what names it."""

from __future__ import annotations

import io
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Template
from rich.console import Console

from cdk_breakwater import DecoupledInvocation, InvocationSource
from cdk_breakwater.cli.redrive import DeadLetters, Redrivable, redrive_table

from .account import ARN, MAPPING, REGION, kept


def test_the_table() -> None:
    found: list[Redrivable] = [DeadLetters("Shop/Dead", f"{ARN}:dead", None, 1234, "moving: 1 of 2"), kept("a")]
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(redrive_table(found))
    console.print(redrive_table(found, ["move started", "1 done"]))
    text = console.export_text()
    for word in ("Shop/Clicks/Mapping", "1,234", "moving: 1 of 2", "Counter", "move started", "1 done"):
        assert word in text


@pytest.mark.parametrize("other", [False, True])
@pytest.mark.parametrize("source", [InvocationSource.sqs(), InvocationSource.kinesis(shard_count=2)])
def test_the_construct_names_its_command(
    app: cdk.App, stack: cdk.Stack, code: dict[str, Any], source: InvocationSource, other: bool
) -> None:
    function = lambda_.Function(stack, "Worker", reserved_concurrent_executions=5, **code)
    scope = cdk.Stack(app, "Other", env=cdk.Environment(account="123456789012", region=REGION)) if other else stack
    jobs = DecoupledInvocation(scope, "Jobs", function=function, source=source)
    _, _, named, _, construct = jobs.redrive().split()
    # What it names must be in the stack that it names: the dead-letter queue, or the mapping.
    found = {stack.stack_name: stack, "Other": scope}[named]
    kept_by: Any = jobs.dead_letter_queue or jobs.event_source_mapping
    assert kept_by.node.path.startswith(construct)
    assert cdk.Stack.of(kept_by) is found
    type_ = "AWS::SQS::Queue" if jobs.dead_letter_queue else MAPPING
    assert Template.from_stack(found).find_resources(type_)
