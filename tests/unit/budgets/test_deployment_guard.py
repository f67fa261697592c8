"""`ConnectionBudget.of(db, guard_deployments=True)`: what it adds to a template, and that everybody reads the share."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, cast

import aws_cdk as cdk
import cdk_nag
import jsii
import pytest
from aws_cdk import IPolicyValidationPlugin, Validations
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk.assertions import Annotations, Match, Template

from cdk_breakwater import (
    BreakwaterError,
    ConnectionBudget,
    DatabaseCredentials,
    DecoupledInvocation,
    DownstreamChecks,
    InvocationSource,
    VpcDatabaseFunction,
)
from cdk_breakwater.cli.reservations import read_state

GATE, RELEASE = "Custom::BreakwaterGate", "Custom::BreakwaterRelease"


def guarded(stack: cdk.Stack, *shares: str, **options: Any) -> ConnectionBudget:
    budget = ConnectionBudget(stack, "Budget", max_connections=100, guard_deployments=True)
    for name in shares:
        made: Any = {
            "code": lambda_.Code.from_inline("pass"),
            "handler": "index.handler",
            "runtime": lambda_.Runtime.PYTHON_3_14,
        }
        budget.share(name).limit(lambda_.Function(stack, name, **made, **options), overlap=False)
    return budget


def resources(template: Template, type_: str) -> dict[str, dict[str, Any]]:
    return cast("dict[str, dict[str, Any]]", template.find_resources(type_))


def test_the_gate_answers_and_the_release_comes_last(stack: cdk.Stack) -> None:
    guarded(stack, "One", "Two")
    template = Template.from_stack(stack)
    ((gate, gate_body),) = resources(template, GATE).items()
    ((release, release_body),) = resources(template, RELEASE).items()
    functions = {
        id_: body
        for id_, body in resources(template, "AWS::Lambda::Function").items()
        if id_.startswith(("One", "Two"))
    }
    rows = gate_body["Properties"]["Functions"]
    assert {row["Id"]: row["Share"] for row in rows.values()} == dict.fromkeys(functions, "40")
    for key, row in rows.items():
        body = functions[row["Id"]]
        assert body["Properties"]["ReservedConcurrentExecutions"] == {"Fn::GetAtt": [gate, key]}
        assert release in body["DependsOn"]
        tags = {tag["Key"]: tag["Value"] for tag in body["Properties"]["Tags"]}
        assert tags["breakwater:share"] == "40"
        assert tags["breakwater:set"] == {"Fn::GetAtt": [gate, key]}
        (budget,) = gate_body["Properties"]["Budgets"]
        assert tags["breakwater:uses"] == f"{budget}=1/80"
    assert gate in release_body["DependsOn"]
    assert len(template.to_json()["Resources"]) == 2 * 2 + 6


def test_without_it_there_is_nothing_of_it(stack: cdk.Stack, code: dict[str, Any]) -> None:
    ConnectionBudget(stack, "Budget", max_connections=100).share("One").limit(lambda_.Function(stack, "One", **code))
    template = Template.from_stack(stack).to_json()
    assert "breakwater" not in json.dumps(template).lower()


def test_other_shares_make_another_release_and_other_code_asks_the_gate() -> None:
    def ids(*shares: str, **options: Any) -> tuple[str, str]:
        stack = cdk.Stack(cdk.App(), "Stack")
        guarded(stack, *shares, **options)
        template = Template.from_stack(stack)
        (gate,) = resources(template, GATE).values()
        (release,) = resources(template, RELEASE)
        return release, gate["Properties"]["Digest"]

    first = ids("One")
    assert ids("One") == first
    assert ids("One", "Two")[0] != first[0]
    other_code = ids("One", memory_size=512)
    assert other_code[0] == first[0]
    assert other_code[1] != first[1]


def test_stacks_that_share_a_budget_know_each_other(app: cdk.App, stack: cdk.Stack, code: dict[str, Any]) -> None:
    budget = guarded(stack, "One")
    other = cdk.Stack(app, "Other")
    budget.share("Two").limit(lambda_.Function(other, "Two", function_name="two", **code), overlap=False)
    (gate,) = resources(Template.from_stack(stack), GATE).values()
    (two,) = gate["Properties"]["Neighbours"]["Other"]
    assert two.startswith("Two")
    policies = json.dumps(resources(Template.from_stack(stack), "AWS::IAM::Policy"))
    assert ":stack/Other/*" in policies
    assert ":function:two" in policies
    (gate,) = resources(Template.from_stack(other), GATE).values()
    assert list(gate["Properties"]["Neighbours"]) == ["Stack"]


def test_the_databases_own_limit_changes_after_the_gate(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    ConnectionBudget.of(database, guard_deployments=True)
    credentials = DatabaseCredentials.user("orders", grants=["SELECT ON shop.orders"])
    VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, credentials=credentials, proxy=False, **code)
    template = Template.from_stack(stack)  # which fails on a cycle
    ((gate, body),) = resources(template, GATE).items()
    (group,) = resources(template, "AWS::RDS::DBParameterGroup").values()
    assert gate in group["DependsOn"]
    (budget,) = body["Properties"]["Budgets"].values()
    assert budget["Here"] == "1"
    assert len(body["Properties"]["Functions"]) == 2  # with the one that makes users
    # A user's limit falls after the gate has lowered its functions, and rises before the release raises them.
    ((user, _),) = resources(template, "Custom::DatabaseUser").items()
    assert gate in needed(template.to_json()["Resources"], user)


@pytest.mark.parametrize("kind", ["instance", "cluster"])
def test_a_parameter_group_made_apart_changes_after_the_gate(
    stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any], kind: str
) -> None:
    if kind == "instance":
        engine: Any = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17)
    else:
        engine = rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_17_4)
    group = rds.ParameterGroup(stack, "Group", engine=engine, parameters={"max_connections": "112"})
    database: Any = (
        rds.DatabaseInstance(stack, "Database", engine=engine, vpc=vpc, parameter_group=group)
        if kind == "instance"
        else rds.DatabaseCluster(
            stack,
            "Database",
            engine=engine,
            vpc=vpc,
            parameter_group=group,
            writer=rds.ClusterInstance.provisioned("Writer"),
        )
    )
    ConnectionBudget.of(database, guard_deployments=True)
    VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, proxy=False, **code)
    template = Template.from_stack(stack)
    (gate,) = resources(template, GATE)
    ordered = [
        body
        for type_ in ("DBParameterGroup", "DBClusterParameterGroup", "DBInstance", "DBCluster")
        for body in resources(template, f"AWS::RDS::{type_}").values()
    ]
    assert len(ordered) == (2 if kind == "instance" else 3)
    assert all(gate in body.get("DependsOn", []) for body in ordered)


def needed(found: dict[str, Any], id_: str) -> set[str]:
    """Give all that a resource comes after."""
    reached, left = set[str](), {id_}
    while left:
        body = found[left.pop()]
        text = json.dumps(body.get("Properties", {}))
        referred = re.findall(r'"Ref": "(\w+)"|"Fn::GetAtt": \["(\w+)"', text)
        more = {*body.get("DependsOn", ()), *(name for pair in referred for name in pair)} & {*found} - reached
        reached |= more
        left |= more
    return reached


def test_a_number_put_over_it_fails_the_synth(app: cdk.App, stack: cdk.Stack) -> None:
    guarded(stack, "One")

    @jsii.implements(cdk.IAspect)
    class Ten:
        def visit(self, node: Any) -> None:
            if isinstance(node, lambda_.CfnFunction) and node.node.path == "Stack/One/Resource":
                node.reserved_concurrent_executions = 10

    cdk.Aspects.of(app).add(cast("Any", Ten()))
    with pytest.raises(RuntimeError, match=r"Stack/One/Resource has ReservedConcurrentExecutions=10, put over what"):
        app.synth()


@pytest.mark.parametrize("value", [200, None])
def test_an_override_over_it_fails_the_synth(app: cdk.App, stack: cdk.Stack, value: int | None) -> None:
    budget = guarded(stack, "One")
    resource = cast("lambda_.CfnFunction", cast("Any", budget.shares[0].reserves).node.default_child)
    if value is None:
        resource.add_property_deletion_override("ReservedConcurrentExecutions")
    else:
        resource.add_property_override("ReservedConcurrentExecutions", value)
    with pytest.raises(RuntimeError, match=f"Stack/One/Resource has ReservedConcurrentExecutions={value}, put over"):
        app.synth()


def fed(stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]) -> DecoupledInvocation:
    ConnectionBudget.of(database, guard_deployments=True)
    function = VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code)
    return DecoupledInvocation(stack, "Jobs", function=function, source=InvocationSource.sqs())


def test_a_queues_mapping_has_what_the_gate_answers(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    jobs = fed(stack, vpc, database, code)
    share = ConnectionBudget.of(database).shares[0].resolve()
    template = Template.from_stack(stack)
    ((gate, body),) = resources(template, GATE).items()
    (row,) = body["Properties"]["Functions"].values()
    ((id_, mapping),) = resources(template, "AWS::Lambda::EventSourceMapping").items()
    assert row["Share"] == str(share)
    assert row["Mappings"] == {"m0": {"Id": id_, "Share": str(share)}}
    assert mapping["Properties"]["ScalingConfig"] == {"MaximumConcurrency": {"Fn::GetAtt": [gate, "m0"]}}
    assert mapping["Properties"]["Tags"] == [{"Key": "breakwater:share", "Value": str(share)}]
    assert set(resources(template, RELEASE)) <= set(mapping["DependsOn"])
    assert stack.resolve(jobs.maximum_concurrency) == share
    policies = json.dumps(resources(template, "AWS::IAM::Policy"))
    assert "lambda:UpdateEventSourceMapping" in policies


def test_another_batch_size_asks_the_gate_for_the_mappings_number() -> None:
    def digest(batch: int) -> str:
        stack = cdk.Stack(cdk.App(), "Stack")
        budget = guarded(stack, "One")
        function = cast("Any", budget.shares[0].reserves)
        DecoupledInvocation(stack, "Jobs", function=function, source=InvocationSource.sqs(batch_size=batch))
        (gate,) = resources(Template.from_stack(stack), GATE).values()
        return gate["Properties"]["Digest"]

    assert digest(1) == digest(1) != digest(2)


def test_a_number_put_over_the_mappings_fails_the_synth(
    app: cdk.App, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    jobs = fed(stack, vpc, database, code)
    mapping = cast("lambda_.CfnEventSourceMapping", jobs.event_source_mapping.node.default_child)
    mapping.add_property_override("ScalingConfig.MaximumConcurrency", 500)
    with pytest.raises(RuntimeError, match=r"Stack/Jobs/Mapping/Resource has ScalingConfig=.*500.*, put over what"):
        app.synth()


def test_a_nested_stack_is_refused(stack: cdk.Stack, code: dict[str, Any]) -> None:
    budget = guarded(stack, "One")
    nested = cdk.NestedStack(stack, "Nested")
    with pytest.raises(BreakwaterError, match="not possible in a nested stack"):
        budget.share("Two").limit(lambda_.Function(nested, "Two", **code))


@pytest.mark.parametrize("context", [{"account_concurrency": 150}])
def test_the_accounts_pool_counts_guarded_shares(stack: cdk.Stack) -> None:
    budget = guarded(stack, "One", "Two")
    # 80 connections, and 50 of the account's concurrency: a guarded share draws from that pool as any other
    Annotations.from_stack(stack).has_warning(
        "/Stack/Budget", Match.string_like_regexp("reserve a concurrency of 50 in .* One 25 of 40, Two 25 of 40")
    )
    assert [share.resolve() for share in budget.shares] == [25, 25]


def test_plan_and_checks_read_the_share(tmp_path: Path, code: dict[str, Any]) -> None:
    app = cdk.App(outdir=str(tmp_path))
    stack = cdk.Stack(app, "Stack")
    vpc = ec2.Vpc(stack, "Vpc", max_azs=2, nat_gateways=1)
    engine = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17)
    database = rds.DatabaseInstance(
        stack, "Database", engine=engine, vpc=vpc, parameters={"max_connections": "112"}, storage_encrypted=True
    )
    ConnectionBudget.of(database, guard_deployments=True)
    VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code)
    Validations.of(app).add_plugins(cast("IPolicyValidationPlugin", DownstreamChecks()))
    app.synth()
    state = read_state(tmp_path)
    assert [holder.concurrency for holder in state.holders.values()] == [80]
    assert [list(numbers.values()) for numbers in state.reserved.values()] == [[80]]
    assert state.plans["Stack/Database"].guarded


def test_cdk_nag_finds_nothing_in_it(tmp_path: Path) -> None:
    app = cdk.App(outdir=str(tmp_path))
    stack = cdk.Stack(app, "Stack", env=cdk.Environment(account="123456789012", region="eu-central-1"))
    guarded(stack)
    from cdk_breakwater.budgets.deployment_guard import DeploymentGuard

    DeploymentGuard.of(stack)
    for pack in (
        cdk_nag.AwsSolutionsChecks,
        cdk_nag.ServerlessChecks,
        cdk_nag.HIPAASecurityChecks,
        cdk_nag.NIST80053R5Checks,
        cdk_nag.PCIDSS321Checks,
    ):
        Validations.of(app).add_plugins(cast("IPolicyValidationPlugin", pack(app)))
    app.synth()
