"""A function beside its database: network, credentials, layer, settings, and what is refused."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Annotations, Match, Template

from breakwater_runtime._version import VERSION
from cdk_breakwater import (
    BreakwaterError,
    ConnectionBudget,
    DatabaseCredentials,
    DatabaseEngine,
    Downstream,
    VpcDatabaseFunction,
)
from tests.unit.databases import POSTGRESQL, imported_instance


def isolated_vpc(stack: cdk.Stack) -> ec2.Vpc:
    subnets = ec2.SubnetConfiguration(name="Isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
    return ec2.Vpc(stack, "IsolatedVpc", max_azs=2, nat_gateways=0, subnet_configuration=[subnets])


def settings(template: Template) -> dict[str, Any]:
    (function,) = template.find_resources("AWS::Lambda::Function").values()
    return function["Properties"]["Environment"]["Variables"]


def test_defaults(stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]) -> None:
    function = VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code)
    template = Template.from_stack(stack)
    template.has_resource_properties(
        "AWS::Lambda::Function",
        {
            "ReservedConcurrentExecutions": 80,
            "Timeout": 30,
            "MemorySize": 512,
            "TracingConfig": {"Mode": "Active"},
            "VpcConfig": {"SubnetIds": [{"Ref": Match.string_like_regexp("VpcPrivate")}] * 2},
        },
    )
    template.has_resource_properties("AWS::Logs::LogGroup", {"RetentionInDays": 30})
    template.resource_count_is("AWS::Lambda::LayerVersion", 1)
    template.resource_count_is("AWS::EC2::VPCEndpoint", 0)
    assert stack.resolve(function.share.concurrency) == 80


def test_settings_carry_no_secret(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, environment={"TABLE": "orders"}, **code)
    assert settings(Template.from_stack(stack)) == {
        "BREAKWATER_DATABASE": "postgres",
        "BREAKWATER_ENGINE": "postgresql",
        "BREAKWATER_HOST": {"Fn::GetAtt": ["DatabaseB269D8BB", "Endpoint.Address"]},
        "BREAKWATER_PORT": "5432",
        "BREAKWATER_MAX_CONNECTIONS": "112",
        "BREAKWATER_UTILIZATION": "0.8",
        "BREAKWATER_TLS_CA": "bundled",
        "BREAKWATER_FUNCTION_TIMEOUT": "30",
        "BREAKWATER_VERSION": VERSION,
        "BREAKWATER_SECRET_ARN": {"Ref": "DatabaseSecretAttachmentE5D1B020"},
        "TABLE": "orders",
    }


def test_the_database_is_opened_to_the_function_and_no_wider(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code)
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::EC2::SecurityGroupIngress", 1)
    template.has_resource_properties(
        "AWS::EC2::SecurityGroupIngress",
        {
            "FromPort": 5432,
            "ToPort": 5432,
            "IpProtocol": "tcp",
            "SourceSecurityGroupId": {"Fn::GetAtt": [Match.string_like_regexp("^Orders"), "GroupId"]},
        },
    )
    template.has_resource_properties(
        "AWS::EC2::SecurityGroup",
        {
            "GroupDescription": Match.string_like_regexp("Lambda Function"),
            "SecurityGroupEgress": [Match.object_like({"CidrIp": "0.0.0.0/0", "FromPort": 443, "ToPort": 443})],
        },
    )


def test_least_privilege(stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]) -> None:
    VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code)
    template = Template.from_stack(stack)
    for role in template.find_resources("AWS::IAM::Role").values():
        assert "ManagedPolicyArns" not in role["Properties"]
    (policy,) = template.find_resources("AWS::IAM::Policy").values()
    statements = policy["Properties"]["PolicyDocument"]["Statement"]
    actions = {action for statement in statements for action in _list(statement["Action"])}
    assert not any("*" in action for action in actions)
    unbounded = {action for s in statements if s["Resource"] == "*" for action in _list(s["Action"])}
    assert {action.split(":")[0] for action in unbounded} == {"ec2", "xray"}
    secret = next(s for s in statements if "secretsmanager:GetSecretValue" in _list(s["Action"]))
    assert secret["Resource"] == {"Ref": "DatabaseSecretAttachmentE5D1B020"}


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_every_prop_of_the_l2_passes_through(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    group = logs.LogGroup(stack, "Mine", retention=logs.RetentionDays.ONE_YEAR)
    VpcDatabaseFunction(
        stack,
        "Orders",
        database=database,
        vpc=vpc,
        timeout=cdk.Duration.seconds(7),
        memory_size=1024,
        architecture=lambda_.Architecture.ARM_64,
        log_group=group,
        allow_all_outbound=True,
        description="takes orders",
        **code,
    )
    template = Template.from_stack(stack)
    template.has_resource_properties(
        "AWS::Lambda::Function",
        {"Timeout": 7, "MemorySize": 1024, "Architectures": ["arm64"], "Description": "takes orders"},
    )
    template.resource_count_is("AWS::Logs::LogGroup", 1)
    template.has_resource_properties("AWS::Lambda::LayerVersion", {"CompatibleArchitectures": ["arm64"]})
    assert settings(template)["BREAKWATER_FUNCTION_TIMEOUT"] == "7"


@pytest.mark.parametrize("said", [None, True, False])
def test_what_a_group_of_its_own_keeps_in_is_said_once(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any], said: bool | None
) -> None:
    """What it takes the place of let everything out, and is closed in place."""
    options = {} if said is None else {"allow_all_outbound": said}
    for name in ("Orders", "Reports"):
        VpcDatabaseFunction(stack, name, database=database, vpc=vpc, verify_at_deploy=True, **options, **code)
    text = Match.string_like_regexp(r"Redis, SMTP .* allow_all_outbound=True .*\[ack: cdk-breakwater:closed-egress\]")
    assert len(Annotations.from_stack(stack).find_info("*", text)) == (said is None)


def test_functions_of_one_stack_share_a_layer(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    for name in ("Orders", "Reports", "Nightly"):
        VpcDatabaseFunction(stack, name, database=database, vpc=vpc, **code)
    Template.from_stack(stack).resource_count_is("AWS::Lambda::LayerVersion", 1)


def test_node_gets_its_own_layer(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    code = {**code, "runtime": lambda_.Runtime.NODEJS_24_X}
    VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code)
    Template.from_stack(stack).has_resource_properties(
        "AWS::Lambda::LayerVersion", {"CompatibleRuntimes": ["nodejs24.x"]}
    )


def test_isolated_subnets_get_one_way_to_secrets_manager(stack: cdk.Stack, code: dict[str, Any]) -> None:
    vpc = isolated_vpc(stack)
    database = rds.DatabaseInstance(
        stack, "Db", engine=POSTGRESQL, vpc=vpc, vpc_subnets={"subnet_type": ec2.SubnetType.PRIVATE_ISOLATED}
    )
    for name in ("Orders", "Reports"):
        VpcDatabaseFunction(stack, name, database=database, vpc=vpc, **code)
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::EC2::VPCEndpoint", 1)
    template.has_resource_properties(
        "AWS::EC2::VPCEndpoint", {"ServiceName": "com.amazonaws.eu-central-1.secretsmanager", "PrivateDnsEnabled": True}
    )


def test_iam_authentication_reads_no_secret(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    VpcDatabaseFunction(
        stack, "Orders", database=database, vpc=vpc, credentials=DatabaseCredentials.iam("app_user"), **code
    )
    template = Template.from_stack(stack)
    variables = settings(template)
    assert (variables["BREAKWATER_AUTH"], variables["BREAKWATER_USER"]) == ("iam", "app_user")
    assert "BREAKWATER_SECRET_ARN" not in variables
    template.has_resource_properties("AWS::RDS::DBInstance", {"EnableIAMDatabaseAuthentication": True})
    template.has_resource_properties(
        "AWS::IAM::Policy",
        {
            "PolicyDocument": {
                "Statement": Match.array_with([Match.object_like({"Action": "rds-db:connect", "Effect": "Allow"})])
            }
        },
    )


def test_an_endpoint_with_a_secret_and_its_own_authority(
    stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any], tmp_path: Any
) -> None:
    pem = tmp_path / "ca.pem"
    pem.write_text("-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n", encoding="ascii")
    secret = secretsmanager.Secret(stack, "Secret")
    group = ec2.SecurityGroup(stack, "Group", vpc=vpc)
    endpoint = Downstream.endpoint(
        stack,
        "Endpoint",
        host="10.0.0.9",
        port=3307,
        engine=DatabaseEngine.MARIADB,
        max_connections=45,
        secret=secret,
        security_group=group,
        database_name="shop",
        certificate_authority=str(pem),
    )
    VpcDatabaseFunction(stack, "Orders", database=endpoint, vpc=vpc, **code)
    template = Template.from_stack(stack)
    template.has_resource_properties("AWS::Lambda::Function", {"ReservedConcurrentExecutions": 32})
    template.has_resource_properties("AWS::EC2::SecurityGroupIngress", {"FromPort": 3307, "ToPort": 3307})
    variables = settings(template)
    assert variables["BREAKWATER_ENGINE"] == "mariadb"
    assert variables["BREAKWATER_HOST"] == "10.0.0.9"
    assert variables["BREAKWATER_DATABASE"] == "shop"
    assert variables["BREAKWATER_TLS_CA"] == "bundled"


class TestStacks:
    """The rules live in the function's stack, so that a database in another never depends on it."""

    @pytest.mark.parametrize("shared_vpc", [True, False])
    def test_a_database_of_another_stack(self, app: cdk.App, code: dict[str, Any], shared_vpc: bool) -> None:
        env = cdk.Environment(account="123456789012", region="eu-central-1")
        data = cdk.Stack(app, "Data", env=env)
        vpc = ec2.Vpc(data, "Vpc", max_azs=2)
        database = rds.DatabaseInstance(data, "Database", engine=POSTGRESQL, vpc=vpc)
        compute = cdk.Stack(app, "Compute", env=env)
        if not shared_vpc:
            vpc = ec2.Vpc.from_vpc_attributes(
                compute,
                "Vpc",
                vpc_id="vpc-1",
                availability_zones=["a", "b"],
                private_subnet_ids=["subnet-1", "subnet-2"],
            )
        VpcDatabaseFunction(compute, "Orders", database=database, vpc=vpc, **code)
        app.synth()  # a cycle would fail here
        template = Template.from_stack(compute)
        template.resource_count_is("AWS::EC2::SecurityGroupIngress", 1)
        assert [stack.stack_name for stack in compute.dependencies] == ["Data"]

    def test_nested_stacks(self, app: cdk.App, code: dict[str, Any]) -> None:
        root = cdk.Stack(app, "Root")
        data = cdk.NestedStack(root, "Data")
        vpc = ec2.Vpc(data, "Vpc", max_azs=2)
        database = rds.DatabaseInstance(data, "Database", engine=POSTGRESQL, vpc=vpc)
        VpcDatabaseFunction(cdk.NestedStack(root, "Compute"), "Orders", database=database, vpc=vpc, **code)
        app.synth()

    def test_functions_of_two_stacks_share_one_budget(self, app: cdk.App, code: dict[str, Any]) -> None:
        data = cdk.Stack(app, "Data")
        vpc = ec2.Vpc(data, "Vpc", max_azs=2)
        database = rds.DatabaseInstance(
            data, "Database", engine=POSTGRESQL, vpc=vpc, parameters={"max_connections": "112"}
        )
        stacks = [cdk.Stack(app, name) for name in ("One", "Two")]
        for stack in stacks:
            VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code)
        for stack in stacks:
            Template.from_stack(stack).has_resource_properties(
                "AWS::Lambda::Function", {"ReservedConcurrentExecutions": 40}
            )

    def test_a_stack_without_a_concrete_environment_carries_every_root(
        self, app: cdk.App, code: dict[str, Any]
    ) -> None:
        stack = cdk.Stack(app, "Agnostic")
        vpc = ec2.Vpc(stack, "Vpc")
        database = rds.DatabaseInstance(stack, "Database", engine=POSTGRESQL, vpc=vpc)
        VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code)
        Template.from_stack(stack).has_resource_properties("AWS::Lambda::Function", {"Timeout": 30})


class TestErrors:
    def test_no_secret_and_no_credentials(self, stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
        database = imported_instance(stack)
        with pytest.raises(
            BreakwaterError, match=r"Stack/Orders: the database Stack/Imported has no secret.*iam\(user\)"
        ):
            VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code)

    def test_no_private_subnets(self, stack: cdk.Stack, database: rds.DatabaseInstance, code: dict[str, Any]) -> None:
        public = ec2.SubnetConfiguration(name="Public", subnet_type=ec2.SubnetType.PUBLIC)
        vpc = ec2.Vpc(stack, "PublicVpc", nat_gateways=0, subnet_configuration=[public])
        with pytest.raises(BreakwaterError, match=r"Stack/Orders: the VPC Stack/PublicVpc has no private subnet"):
            VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code)
        # the way that the error shows
        inside = rds.DatabaseInstance(
            stack,
            "Inside",
            engine=POSTGRESQL,
            vpc=vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
            publicly_accessible=False,
            parameters={"max_connections": "80"},
        )
        function = lambda_.Function(stack, "Worker", vpc=vpc, allow_public_subnet=True, **code)
        Downstream.of(inside).connect(function)
        Template.from_stack(stack).resource_count_is("AWS::EC2::VPCEndpoint", 1)

    def test_public_subnets_selected(
        self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        subnets = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC)
        with pytest.raises(BreakwaterError, match=r"vpc_subnets selects public subnets of Stack/Vpc"):
            VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, vpc_subnets=subnets, **code)

    def test_reserved_concurrency_is_not_the_users(
        self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        with pytest.raises(
            BreakwaterError, match=r"Stack/Orders: reserved_concurrent_executions=9 is given.*concurrency="
        ):
            VpcDatabaseFunction(
                stack, "Orders", database=database, vpc=vpc, **{**code, "reserved_concurrent_executions": 9}
            )

    def test_a_driver_without_a_wheel(
        self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        with pytest.raises(BreakwaterError, match=r"psycopg-binary==2\.9.*3\.14"):
            VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, drivers=["psycopg-binary==2.9"], **code)

    def test_a_fixed_share_larger_than_what_is_left(
        self, app: cdk.App, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code)
        VpcDatabaseFunction(stack, "Nightly", database=database, vpc=vpc, concurrency=80, **code)
        with pytest.raises(RuntimeError, match=r"the shares need at least 81 connections of 80") as failure:
            app.synth()
        assert "Stack/Nightly      80  concurrency=80" in str(failure.value)
        assert ConnectionBudget.of(database).shared_connections == 80
