"""A function made elsewhere gets everything that a `VpcDatabaseFunction` has: `Downstream.connect`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_nodejs as nodejs
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Annotations, Match, Template
from constructs import Construct

from cdk_breakwater import (
    BreakwaterError,
    ConnectionShare,
    DatabaseCredentials,
    DatabaseEngine,
    Downstream,
    VpcDatabaseFunction,
)

TIMEOUT = cdk.Duration.seconds(30)


class BundledFunction(lambda_.Function):
    """As aws_lambda_python_alpha's PythonFunction: a subclass that bundles its code by itself."""

    def __init__(self, scope: Construct, id: str, **options: Any) -> None:
        code = lambda_.Code.from_inline("def handler(event, context): pass")
        super().__init__(
            scope,
            id,
            code=code,
            handler="index.handler",
            runtime=lambda_.Runtime.PYTHON_3_14,
            timeout=TIMEOUT,
            **options,
        )


def variables(template: Template, id_: str) -> dict[str, Any]:
    return function(template, id_)["Environment"]["Variables"]


def function(template: Template, id_: str) -> dict[str, Any]:
    (found,) = (
        resource["Properties"]
        for logical_id, resource in template.find_resources("AWS::Lambda::Function").items()
        if logical_id.startswith(id_)
    )
    return found


def ingress(template: Template) -> list[str]:
    rules = template.find_resources("AWS::EC2::SecurityGroupIngress").values()
    return sorted(rule["Properties"]["SourceSecurityGroupId"]["Fn::GetAtt"][0] for rule in rules)


def test_it_has_what_a_database_function_has(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    elsewhere = BundledFunction(stack, "Elsewhere", vpc=vpc)
    share = Downstream.of(database).connect(elsewhere)
    ours = VpcDatabaseFunction(stack, "Ours", database=database, vpc=vpc, **code)
    template = Template.from_stack(stack)
    assert variables(template, "Elsewhere") == variables(template, "Ours")
    assert function(template, "Elsewhere")["Layers"] == function(template, "Ours")["Layers"]
    assert [
        each["ReservedConcurrentExecutions"] for each in (function(template, "Elsewhere"), function(template, "Ours"))
    ] == [40, 40]
    assert [name.split("SecurityGroup")[0] for name in ingress(template)] == ["Elsewhere", "Ours"]
    for name in ("Elsewhere", "Ours"):
        template.has_resource_properties(
            "AWS::IAM::Policy",
            {
                "PolicyName": Match.string_like_regexp(f"^{name}"),
                "PolicyDocument": {
                    "Statement": Match.array_with(
                        [
                            Match.object_like(
                                {"Action": ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]}
                            )
                        ]
                    )
                },
            },
        )
    assert share is ConnectionShare.of(elsewhere)
    assert ours.share.resolve() == 40


def test_its_own_variables_win(stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance) -> None:
    own = {"TABLE": "orders", "BREAKWATER_DATABASE": "shop"}
    elsewhere = BundledFunction(stack, "Elsewhere", vpc=vpc, environment=own)
    Downstream.of(database).connect(elsewhere)
    found = variables(Template.from_stack(stack), "Elsewhere")
    assert {name: found[name] for name in own} == own
    assert found["BREAKWATER_ENGINE"] == "postgresql"


def test_a_lazy_variable_of_its_own_is_read_at_the_end(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    first = VpcDatabaseFunction(stack, "Ours", database=database, vpc=vpc, **code)
    limit = f"at most {cdk.Token.as_string(first.share.concurrency)}"
    elsewhere = BundledFunction(stack, "Elsewhere", vpc=vpc, environment={"LIMIT": limit})
    Downstream.of(database).connect(elsewhere)
    assert variables(Template.from_stack(stack), "Elsewhere")["LIMIT"] == "at most 40"


@pytest.mark.parametrize("context", [{"aws:cdk:bundling-stacks": []}])
def test_a_nodejs_function(stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, tmp_path: Path) -> None:
    (tmp_path / "package-lock.json").write_text("{}")
    (tmp_path / "index.js").write_text("exports.handler = async () => {}")
    elsewhere = nodejs.NodejsFunction(
        stack,
        "Elsewhere",
        vpc=vpc,
        entry=str(tmp_path / "index.js"),
        deps_lock_file_path=str(tmp_path / "package-lock.json"),
        project_root=str(tmp_path),
        runtime=lambda_.Runtime.NODEJS_24_X,
        bundling=nodejs.BundlingOptions(
            docker_image=cdk.DockerImage.from_registry("not-used"), external_modules=["breakwater-runtime"]
        ),
    )
    Downstream.of(database).connect(elsewhere)
    template = Template.from_stack(stack)
    found = function(template, "Elsewhere")
    assert found["ReservedConcurrentExecutions"] == 80
    assert len(found["Layers"]) == 1
    assert variables(template, "Elsewhere")["BREAKWATER_FUNCTION_TIMEOUT"] == "3"


def test_a_container_image_is_told_what_it_must_hold(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM public.ecr.aws/lambda/python:3.14\n")
    elsewhere = lambda_.DockerImageFunction(
        stack, "Elsewhere", vpc=vpc, code=lambda_.DockerImageCode.from_image_asset(str(tmp_path))
    )
    Downstream.of(database).connect(elsewhere)
    template = Template.from_stack(stack)
    found = function(template, "Elsewhere")
    assert found["ReservedConcurrentExecutions"] == 40, "counts twice, since nothing gives its connections back"
    assert "Layers" not in found
    assert variables(template, "Elsewhere")["BREAKWATER_ENGINE"] == "postgresql"
    Annotations.from_stack(stack).has_info(
        "/Stack/Elsewhere",
        Match.string_like_regexp("cdk-breakwater-runtime and the driver in the image.*BREAKWATER_TLS_CA"),
    )


def test_an_image_with_the_runtime_counts_once(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, tmp_path: Path
) -> None:
    (tmp_path / "Dockerfile").write_text("FROM public.ecr.aws/lambda/python:3.14\n")
    code = lambda_.DockerImageCode.from_image_asset(str(tmp_path))
    elsewhere = lambda_.DockerImageFunction(stack, "Elsewhere", vpc=vpc, code=code)
    Downstream.of(database).connect(elsewhere, overlap=False)
    assert function(Template.from_stack(stack), "Elsewhere")["ReservedConcurrentExecutions"] == 80


def test_an_alias_stands_for_its_function(stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance) -> None:
    elsewhere = BundledFunction(stack, "Elsewhere", vpc=vpc)
    Downstream.of(database).connect(lambda_.Alias(stack, "Live", alias_name="live", version=elsewhere.current_version))
    template = Template.from_stack(stack)
    assert function(template, "Elsewhere")["ReservedConcurrentExecutions"] == 80


def test_a_proxy_and_a_further_database(stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance) -> None:
    elsewhere = BundledFunction(stack, "Elsewhere", vpc=vpc)
    Downstream.proxy(database).connect(elsewhere)
    cache = Downstream.endpoint(stack, "Cache", host="cache.example.net", engine=DatabaseEngine.REDIS)
    cache.connect(elsewhere, name="cache", connections_per_environment=1000)
    found = Template.from_stack(stack)
    assert variables(found, "Elsewhere")["BREAKWATER_PROXY"] == "1"
    assert variables(found, "Elsewhere")["BREAKWATER_CACHE_HOST"] == "cache.example.net"
    assert function(found, "Elsewhere")["ReservedConcurrentExecutions"] == 52, "the smaller of its two shares"
    assert len(function(found, "Elsewhere")["Layers"]) == 2


def test_a_user_of_its_own_and_a_look_at_the_server(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance
) -> None:
    elsewhere = BundledFunction(stack, "Elsewhere", vpc=vpc)
    login = DatabaseCredentials.user("orders", grants=["SELECT ON shop.*"])
    Downstream.of(database).connect(elsewhere, credentials=login, verify_at_deploy=True)
    template = Template.from_stack(stack)
    template.resource_count_is("Custom::DatabaseUser", 1)
    template.resource_count_is("Custom::MaxConnections", 1)


def test_isolated_subnets_get_an_endpoint_and_a_closed_group_its_way(stack: cdk.Stack, code: dict[str, Any]) -> None:
    isolated = ec2.SubnetConfiguration(name="Isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
    vpc = ec2.Vpc(stack, "Closed", max_azs=2, nat_gateways=0, subnet_configuration=[isolated])
    secret = secretsmanager.Secret(stack, "Secret")
    group = ec2.SecurityGroup(stack, "Group", vpc=vpc, allow_all_outbound=False)
    elsewhere = lambda_.Function(
        stack,
        "Elsewhere",
        vpc=vpc,
        vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
        security_groups=[group],
        **code,
    )
    Downstream.endpoint(
        stack, "Db", host="db.example.net", engine=DatabaseEngine.POSTGRESQL, max_connections=100, secret=secret
    ).connect(elsewhere)
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::EC2::VPCEndpoint", 1)
    template.has_resource_properties(
        "AWS::EC2::SecurityGroup",
        {
            "GroupDescription": "Stack/Group",
            "SecurityGroupEgress": [
                Match.object_like({"CidrIp": "0.0.0.0/0", "FromPort": 443}),
                Match.object_like({"CidrIp": "0.0.0.0/0", "FromPort": 5432}),
            ],
        },
    )


def test_what_its_group_lets_out_stays(stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance) -> None:
    elsewhere = BundledFunction(stack, "Elsewhere", vpc=vpc)
    Downstream.of(database).connect(elsewhere)
    Template.from_stack(stack).has_resource_properties(
        "AWS::EC2::SecurityGroup",
        {
            "GroupDescription": Match.string_like_regexp("Automatic security group"),
            "SecurityGroupEgress": [Match.object_like({"CidrIp": "0.0.0.0/0", "IpProtocol": "-1"})],
        },
    )


def test_outside_of_any_vpc(stack: cdk.Stack, database: rds.DatabaseInstance) -> None:
    dsql = Downstream.endpoint(
        stack, "Dsql", host="x.dsql.eu-central-1.on.aws", engine=DatabaseEngine.POSTGRESQL, max_connections=100
    )
    dsql.connect(BundledFunction(stack, "Elsewhere"), credentials=DatabaseCredentials.secret(database.secret))  # pyrefly: ignore
    assert variables(Template.from_stack(stack), "Elsewhere")["BREAKWATER_HOST"] == "x.dsql.eu-central-1.on.aws"


class TestRefused:
    def test_outside_the_databases_vpc(self, stack: cdk.Stack, database: rds.DatabaseInstance) -> None:
        with pytest.raises(BreakwaterError, match=r"Stack/Lost: it is outside any VPC.*Give the function vpc="):
            Downstream.of(database).connect(BundledFunction(stack, "Lost"))

    def test_an_imported_function(self, stack: cdk.Stack, database: rds.DatabaseInstance) -> None:
        imported = lambda_.Function.from_function_name(stack, "Theirs", "theirs")
        with pytest.raises(
            BreakwaterError, match=r"Stack/Theirs: it is an imported Function, .*Connect it where it is made"
        ):
            Downstream.of(database).connect(imported)

    @pytest.mark.parametrize("wrong", [None, "orders", 42])
    def test_what_is_no_function(self, database: rds.DatabaseInstance, wrong: Any) -> None:
        with pytest.raises(BreakwaterError, match=rf"Stack/Database: function is {wrong!r}\. Give a lambda_\.Function"):
            Downstream.of(database).connect(wrong)

    def test_a_runtime_without_a_layer_is_the_functions(
        self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        old = lambda_.Function(stack, "Old", vpc=vpc, **{**code, "runtime": lambda_.Runtime.PYTHON_3_9})
        with pytest.raises(BreakwaterError, match=r"Stack/Old: The runtime layer is for Python 3 .*python3\.9"):
            Downstream.of(database).connect(old)

    def test_ours(self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]) -> None:
        ours = VpcDatabaseFunction(stack, "Ours", database=database, vpc=vpc, **code)
        with pytest.raises(BreakwaterError, match=r"Call function\.add_database"):
            Downstream.of(database).connect(ours)

    def test_a_second_time(self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance) -> None:
        elsewhere = BundledFunction(stack, "Elsewhere", vpc=vpc)
        Downstream.of(database).connect(elsewhere)
        with pytest.raises(BreakwaterError, match=r"connected with a database already.*Give a further one a name"):
            Downstream.of(database).connect(elsewhere)
        with pytest.raises(BreakwaterError, match=r"concurrency=3 is given for a further database"):
            Downstream.of(database).connect(elsewhere, name="again", concurrency=3)

    def test_a_sixth_layer(self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance) -> None:
        layers = [
            lambda_.LayerVersion.from_layer_version_arn(
                stack, f"Layer{number}", f"arn:aws:lambda:eu-central-1:123456789012:layer:l{number}:1"
            )
            for number in range(5)
        ]
        elsewhere = BundledFunction(stack, "Elsewhere", vpc=vpc, layers=layers)
        with pytest.raises(BreakwaterError, match=r"Elsewhere: the runtime layer cannot be added.*takes 5 layers"):
            Downstream.of(database).connect(elsewhere)

    def test_a_reserved_concurrency(self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance) -> None:
        elsewhere = BundledFunction(stack, "Elsewhere", vpc=vpc, reserved_concurrent_executions=5)
        with pytest.raises(BreakwaterError, match="reserved_concurrent_executions=5 already"):
            Downstream.of(database).connect(elsewhere)


@pytest.mark.parametrize("ours", [True, False])
def test_a_role_that_takes_no_statement_is_told_what_it_lacks(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any], ours: bool
) -> None:
    role = iam.Role.from_role_arn(stack, "Role", "arn:aws:iam::123456789012:role/theirs", mutable=False)
    if ours:
        VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, role=role, **code)
    else:
        Downstream.of(database).connect(BundledFunction(stack, "Orders", vpc=vpc, role=role))
    Annotations.from_stack(stack).has_warning(
        "/Stack/Orders", Match.string_like_regexp("takes no statement here.*secretsmanager:GetSecretValue")
    )
