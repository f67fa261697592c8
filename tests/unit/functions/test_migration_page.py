"""An app that exists already: what each step of docs/migration.md adds to it, and that nothing else moves."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import aws_cdk as cdk
import pytest
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Annotations, Match, Template

from cdk_breakwater import (
    ConnectionBudget,
    DecoupledInvocation,
    Downstream,
    InvocationSource,
    ThrottledApi,
    VpcDatabaseFunction,
)
from tests.unit.databases import POSTGRESQL

TIMEOUT = cdk.Duration.seconds(30)


class Existing(NamedTuple):
    """What is deployed already."""

    stack: cdk.Stack
    vpc: ec2.Vpc
    database: rds.DatabaseInstance
    worker: lambda_.Function
    jobs: sqs.Queue
    mails: sqs.Queue
    clicks: kinesis.Stream


def existing(code: dict[str, Any], read: bool = True, worker: bool = True) -> Existing:
    """Make the app as it was. `read` has it read its queue, `worker` leaves the function to be made anew."""
    stack = cdk.Stack(cdk.App(), "Shop", env=cdk.Environment(account="123456789012", region="eu-central-1"))
    vpc = ec2.Vpc(stack, "Vpc", max_azs=2, nat_gateways=1)
    database = rds.DatabaseInstance(
        stack, "Db", engine=POSTGRESQL, vpc=vpc, storage_encrypted=True, parameters={"max_connections": "112"}
    )
    dead = sqs.Queue(stack, "Dead", retention_period=cdk.Duration.days(14))
    jobs, mails = (
        sqs.Queue(
            stack,
            name,
            visibility_timeout=cdk.Duration.minutes(3),
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead, max_receive_count=5),
        )
        for name in ("Jobs", "Mails")
    )
    function: Any = None
    if worker:
        function = lambda_.Function(stack, "Worker", vpc=vpc, timeout=TIMEOUT, **code)
        assert database.secret is not None
        database.secret.grant_read(function)
        database.connections.allow_default_port_from(function)
        if read:
            function.add_event_source(event_sources.SqsEventSource(jobs, report_batch_item_failures=True))
    return Existing(stack, vpc, database, function, jobs, mails, kinesis.Stream(stack, "Stream", shard_count=2))


class Changes(NamedTuple):
    """What a deployment would do."""

    added: set[str]
    removed: set[str]
    changed: set[str]


def changes(before: Existing, after: Existing) -> Changes:
    """Compare by logical id: types that are added, ids that are removed, and `id.Property` of what is changed."""
    old, new = (Template.from_stack(app.stack).to_json()["Resources"] for app in (before, after))
    assert all(old[id_]["Type"] == new[id_]["Type"] for id_ in old.keys() & new.keys())
    changed = {
        f"{_name(id_)}.{name}"
        for id_ in old.keys() & new.keys()
        for name in (old[id_].get("Properties") or {}).keys() | (new[id_].get("Properties") or {}).keys()
        if (old[id_].get("Properties") or {}).get(name) != (new[id_].get("Properties") or {}).get(name)
    }
    removed = {_name(id_) for id_ in old.keys() - new.keys()}
    return Changes({new[id_]["Type"] for id_ in new.keys() - old.keys()}, removed, changed)


def _name(logical_id: str) -> str:
    return re.sub(r"[0-9A-F]{8}$", "", logical_id)


def test_to_look_at_a_budget_changes_nothing(code: dict[str, Any]) -> None:
    app = existing(code)
    assert ConnectionBudget.of(app.database).shared_connections == 80
    assert changes(existing(code), app) == Changes(set(), set(), set())


def test_a_share_limits_a_function_and_its_mapping(code: dict[str, Any]) -> None:
    app = existing(code, read=False)
    share = ConnectionBudget.of(app.database).share("worker")
    share.limit(app.worker)
    app.worker.add_event_source(
        event_sources.SqsEventSource(app.jobs, report_batch_item_failures=True, max_concurrency=share.concurrency)
    )
    assert changes(existing(code), app) == Changes(
        set(),
        set(),
        {"Worker.ReservedConcurrentExecutions", "WorkerSqsEventSourceShopJobs0BA8D2FB.ScalingConfig"},
    )
    mapping = next(iter(Template.from_stack(app.stack).find_resources("AWS::Lambda::EventSourceMapping").values()))
    assert mapping["Properties"]["ScalingConfig"] == {"MaximumConcurrency": 40}


def test_a_queue_that_nobody_read(code: dict[str, Any]) -> None:
    app = existing(code)
    ConnectionBudget.of(app.database).share("worker").limit(app.worker)
    DecoupledInvocation(app.stack, "Deliver", function=app.worker, source=InvocationSource.sqs(app.mails))
    assert changes(existing(code), app) == Changes(
        {"AWS::Lambda::EventSourceMapping"},
        set(),
        {"Worker.ReservedConcurrentExecutions", "WorkerServiceRoleDefaultPolicy.PolicyDocument"},
    )


def test_a_second_mapping_is_refused(code: dict[str, Any]) -> None:
    app = existing(code)
    ConnectionBudget.of(app.database).share("worker").limit(app.worker)
    DecoupledInvocation(app.stack, "Again", function=app.worker, source=InvocationSource.sqs(app.jobs))
    with pytest.raises(RuntimeError, match=r"Shop/Again.* makes Shop/Worker read the same source.*Keep that"):
        Template.from_stack(app.stack)


def test_a_decoupled_invocation_takes_the_place_of_an_event_source(code: dict[str, Any]) -> None:
    app = existing(code, read=False)
    ConnectionBudget.of(app.database).share("worker").limit(app.worker)
    source = InvocationSource.sqs(app.jobs, replaces_event_source=True)
    DecoupledInvocation(app.stack, "Deliver", function=app.worker, source=source)
    mapping = "WorkerSqsEventSourceShopJobs0BA8D2FB"
    assert changes(existing(code), app) == Changes(
        set(),
        set(),
        {"Worker.ReservedConcurrentExecutions", f"{mapping}.ScalingConfig", f"{mapping}.BatchSize"},
    )


def test_an_api_before_it(code: dict[str, Any]) -> None:
    app = existing(code)
    ConnectionBudget.of(app.database).share("worker").limit(app.worker)
    ThrottledApi(app.stack, "Api", function=app.worker, expected_duration=cdk.Duration.millis(200))
    found = changes(existing(code), app)
    assert (found.removed, found.changed) == (set(), {"Worker.ReservedConcurrentExecutions"})
    assert "AWS::ApiGateway::RestApi" in found.added


def test_a_new_function_beside_it(code: dict[str, Any]) -> None:
    app = existing(code)
    ConnectionBudget.of(app.database).share("worker").limit(app.worker)
    VpcDatabaseFunction(app.stack, "Orders", database=app.database, vpc=app.vpc, **code)
    assert changes(existing(code), app) == Changes(
        {
            "AWS::EC2::SecurityGroup",
            "AWS::EC2::SecurityGroupEgress",
            "AWS::EC2::SecurityGroupIngress",
            "AWS::IAM::Policy",
            "AWS::IAM::Role",
            "AWS::Lambda::Function",
            "AWS::Lambda::LayerVersion",
            "AWS::Logs::LogGroup",
        },
        set(),
        {"Worker.ReservedConcurrentExecutions"},
    )


# Nothing of a function is replaced unless its name, package type or tenancy is: all of these change in place.
# Source: AWS CloudFormation Template Reference, AWS::Lambda::Function, "Update requires".
IN_PLACE = {
    "Worker.Environment",
    "Worker.Layers",
    "Worker.ReservedConcurrentExecutions",
    "Worker.TracingConfig",
    "Worker.VpcConfig",
}


def test_a_function_is_connected_as_it_is(code: dict[str, Any]) -> None:
    app = existing(code)
    Downstream.of(app.database).connect(app.worker, overlap=True)
    assert changes(existing(code), app) == Changes(
        {"AWS::Lambda::LayerVersion"},
        set(),
        {"Worker.Environment", "Worker.Layers", "Worker.ReservedConcurrentExecutions"},
    )


def test_a_function_becomes_a_vpc_database_function(code: dict[str, Any]) -> None:
    app = existing(code, worker=False)
    function = VpcDatabaseFunction(app.stack, "Worker", database=app.database, vpc=app.vpc, timeout=TIMEOUT, **code)
    app.database.connections.allow_default_port_from(function)
    function.add_event_source(event_sources.SqsEventSource(app.jobs, report_batch_item_failures=True))
    found = changes(existing(code), app)
    assert found.changed == {
        *(IN_PLACE - {"Worker.VpcConfig"}),
        "Worker.Role",
        "Worker.LoggingConfig",
        "Worker.MemorySize",
        "WorkerSecurityGroup.SecurityGroupEgress",
    }
    assert found.removed == {"WorkerServiceRole", "WorkerServiceRoleDefaultPolicy"}


def test_its_role_log_group_and_memory_can_be_kept(code: dict[str, Any]) -> None:
    app, before = existing(code, worker=False), existing(code, read=False)
    role = iam.Role(
        app.stack,
        "WorkerRole",
        assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        managed_policies=[
            iam.ManagedPolicy.from_aws_managed_policy_name(f"service-role/AWSLambda{name}ExecutionRole")
            for name in ("Basic", "VPCAccess")
        ],
    )
    old: Any = before.worker.role
    role.node.default_child.override_logical_id(  # pyrefly: ignore[missing-attribute]
        before.stack.get_logical_id(old.node.default_child)
    )
    VpcDatabaseFunction(
        app.stack,
        "Worker",
        database=app.database,
        vpc=app.vpc,
        security_groups=[ec2.SecurityGroup(app.stack, "Functions", vpc=app.vpc)],
        timeout=TIMEOUT,
        memory_size=128,
        role=role,
        log_retention=logs.RetentionDays.ONE_MONTH,
        **code,
    )
    found = changes(before, app)
    assert found.changed == {*IN_PLACE, "Worker.MemorySize"}  # 128, which was the default
    assert "WorkerServiceRole" not in found.removed
    assert "AWS::Logs::LogGroup" not in found.added


ROOT = Path(__file__).parents[3]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "migration.md").read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_the_page(code: dict[str, Any], block: str) -> None:
    """Each step of the page, by itself, on the existing app."""
    unread = any(word in block for word in ("add_event_source", "add_function", "replaces_event_source"))
    app = existing(code, read=not unread, worker='"Worker"' not in block)
    names: dict[str, Any] = {**app._asdict(), "db": app.database, "code": code, "lambda_": lambda_, "cdk": cdk}
    if "ThrottledApi.limit(" in block:
        names["api"] = apigateway.LambdaRestApi(app.stack, "Api", handler=app.worker)
    exec(compile(block, "docs/migration.md", "exec"), names)  # noqa: S102 -- the page's own code
    # and nothing that the CDK would say at every synth from then on
    warnings = Annotations.from_stack(app.stack).find_warning("*", Match.string_like_regexp("@aws-cdk/"))
    assert [warning.entry.data for warning in warnings] == []
