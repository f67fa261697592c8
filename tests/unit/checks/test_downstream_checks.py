from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import Acknowledgment, App, Aspects, Duration, Stack, Validations
from aws_cdk import aws_sqs as sqs
from aws_cdk.aws_lambda_event_sources import SqsEventSource

from cdk_breakwater.checks.downstream_checks import DownstreamChecks
from cdk_breakwater.checks.rules import RULES

from .stacks import function

if TYPE_CHECKING:
    from pathlib import Path


def app_in(folder: Path, **context: object) -> tuple[App, sqs.Queue]:
    """One queue with a visibility timeout of the function's own; everything else is right."""
    app = App(outdir=str(folder), context=context)
    Validations.of(app).add_plugins(DownstreamChecks())
    stack = Stack(app, "Stack")
    dead = sqs.Queue(stack, "Dead", retention_period=Duration.days(14))
    queue = sqs.Queue(
        stack,
        "Queue",
        visibility_timeout=Duration.seconds(30),
        dead_letter_queue=sqs.DeadLetterQueue(queue=dead, max_receive_count=5),
    )
    reader = function(stack, timeout=Duration.seconds(30), reserved_concurrent_executions=5)
    reader.add_event_source(SqsEventSource(queue, max_concurrency=5, report_batch_item_failures=True))
    return app, queue


def acknowledgment(reason: str) -> Acknowledgment:
    return Acknowledgment(id="Breakwater::QueueVisibilityTimeout", reason=reason)


def report(folder: Path) -> dict[str, Any]:
    plugins = json.loads((folder / "validation-report.json").read_text())["pluginReports"]
    return next(plugin for plugin in plugins if plugin["pluginName"] == "Breakwater")


def test_a_finding_fails_the_synth(tmp_path: Path) -> None:
    app, _ = app_in(tmp_path)
    with pytest.raises(RuntimeError) as error:
        app.synth()
    text = " ".join(str(error.value).split())
    assert "has a visibility timeout of 30 s" in text
    assert "needs 180 s." in text
    assert "Breakwater::QueueVisibilityTimeout" in text
    found = report(tmp_path)
    assert found["conclusion"] == "failure"
    (violation,) = found["violations"]
    assert violation["ruleName"] == "QueueVisibilityTimeout"
    assert violation["violatingConstructs"][0]["constructPath"] == "Stack/Queue/Resource"
    assert violation["suggestedFix"].startswith("Raise VisibilityTimeout")


def test_an_acknowledged_finding_does_not(tmp_path: Path) -> None:
    app, queue = app_in(tmp_path)
    Validations.of(queue).acknowledge(acknowledgment("the handler is idempotent"))
    app.synth()
    found = report(tmp_path)
    assert (found["conclusion"], found["violations"]) == ("success", [])


def test_an_app_without_findings(tmp_path: Path) -> None:
    app, queue = app_in(tmp_path)
    resource = queue.node.default_child
    assert isinstance(resource, sqs.CfnQueue)
    resource.visibility_timeout = 180
    app.synth()


def test_the_account_s_quota_comes_from_the_context(tmp_path: Path) -> None:
    app, queue = app_in(tmp_path, account_concurrency=10)
    Validations.of(queue).acknowledge(acknowledgment("not the point here"))
    with pytest.raises(RuntimeError, match="a quota of 10 lets 0 be reserved"):
        app.synth()


def test_who_adds_them_as_an_aspect_is_told_how(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path))
    Aspects.of(Stack(app, "Stack")).add(DownstreamChecks())
    with pytest.raises(
        RuntimeError, match=r"^Stack: DownstreamChecks is not an Aspect.* Validations\.of\(app\)\.add_plugins"
    ):
        app.synth()


def test_the_rules_have_names_of_their_own() -> None:
    plugin = DownstreamChecks()
    assert plugin.rule_ids == [rule.id for rule in RULES]
    assert len(set(plugin.rule_ids)) == len(RULES)
    assert plugin.version
