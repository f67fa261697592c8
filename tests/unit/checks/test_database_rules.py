from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk import Duration, NestedStack, SecretValue, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds

from cdk_breakwater.checks.rules.database_connections import RULE as CONNECTIONS
from cdk_breakwater.checks.rules.database_function_concurrency import RULE as CONCURRENCY
from cdk_breakwater.checks.rules.proxy_borrow_timeout import RULE as BORROW

from .stacks import LAMBDA, POSTGRES_16, function, instance, vpc

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Findings


def by_environment(database: rds.DatabaseInstance | rds.DatabaseCluster, reader: lambda_.Function) -> None:
    endpoint = database.cluster_endpoint if isinstance(database, rds.DatabaseCluster) else database.instance_endpoint
    reader.add_environment("URL", f"mysql://{endpoint.hostname}/shop")


def by_secret_in_environment(database: rds.DatabaseInstance | rds.DatabaseCluster, reader: lambda_.Function) -> None:
    assert database.secret
    database.connections.allow_from(reader, ec2.Port.all_tcp())
    reader.add_environment("SECRET", database.secret.secret_arn)


def by_grant(database: rds.DatabaseInstance | rds.DatabaseCluster, reader: lambda_.Function) -> None:
    assert database.secret
    database.connections.allow_from(reader, ec2.Port.all_tcp())
    database.secret.grant_read(reader)


def by_iam(database: rds.DatabaseInstance | rds.DatabaseCluster, reader: lambda_.Function) -> None:
    database.grant_connect(reader, "app")


WAYS: list[tuple[Callable[[Any, lambda_.Function], None], str]] = [
    (by_environment, "its address in the variable URL"),
    (by_secret_in_environment, "its secret in the variable SECRET, and a way on the network"),
    (by_grant, "its secret, which its role may read, and a way on the network"),
    (by_iam, "its permission rds-db:connect on it"),
]
CLUSTER = rds.DatabaseClusterEngine.aurora_mysql(version=rds.AuroraMysqlEngineVersion.VER_3_08_0)


def cluster(stack: Stack, network: ec2.Vpc, **props: Any) -> rds.DatabaseCluster:
    defaults: dict[str, Any] = {
        "engine": CLUSTER,
        "writer": rds.ClusterInstance.provisioned("Writer", instance_type=ec2.InstanceType("t4g.medium")),
        "vpc_subnets": ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
    }
    return rds.DatabaseCluster(stack, "Cluster", vpc=network, **(defaults | props))


@pytest.mark.parametrize("make", [instance, cluster])
@pytest.mark.parametrize(("connect", "evidence"), WAYS)
def test_a_function_that_connects_has_reserved_concurrency(
    connect: Callable[[Any, lambda_.Function], None], evidence: str, make: Callable[..., Any], findings: Findings
) -> None:
    def app(stack: Stack) -> None:
        network = vpc(stack)
        database = make(stack, network, iam_authentication=True)
        for name, reserved in (("Unlimited", None), ("Limited", 5)):
            reader = function(
                stack,
                name,
                vpc=network,
                reserved_concurrent_executions=reserved,
                vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            )
            connect(database, reader)
        function(
            stack,
            "Elsewhere",
            vpc=network,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
        )
        function(stack, "Nowhere")

    (finding,) = findings(CONCURRENCY, app)
    assert finding.resource.name == "Stack0/Unlimited"
    assert finding.location == "Properties.ReservedConcurrentExecutions"
    of = "Stack0/Database" if make is instance else "Stack0/Cluster"
    assert finding.problem == f"Stack0/Unlimited connects to {of} and has no reserved concurrency."
    assert finding.evidence == evidence


def test_across_stacks(findings: Findings) -> None:
    databases: list[rds.DatabaseInstance] = []

    def below(stack: Stack) -> None:
        databases.append(instance(stack, vpc(stack)))

    def above(stack: Stack) -> None:
        by_environment(databases[0], function(stack))

    (finding,) = findings(CONCURRENCY, below, above)
    assert finding.problem == "Stack1/Function connects to Stack0/Database and has no reserved concurrency."


def test_into_and_out_of_nested_stacks(findings: Findings) -> None:
    def app(stack: Stack) -> None:
        database = instance(stack, vpc(stack))
        by_environment(database, function(NestedStack(stack, "Functions")))
        data = NestedStack(stack, "Data")
        by_environment(instance(data, vpc(data)), function(stack))

    assert {finding.problem.split(" and ")[0] for finding in findings(CONCURRENCY, app)} == {
        "Stack0/Functions/Function connects to Stack0/Database",
        "Stack0/Function connects to Stack0/Data/Database",
    }


def behind_a_proxy(
    connect: Callable[[rds.DatabaseProxy, lambda_.Function], object], seconds: int = 3, **props: Any
) -> Callable[[Stack], None]:
    def app(stack: Stack) -> None:
        network = vpc(stack)
        database = instance(stack, network)
        assert database.secret
        proxy = database.add_proxy("Proxy", vpc=network, secrets=[database.secret], **props)
        subnets = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
        reader = function(stack, vpc=network, vpc_subnets=subnets, timeout=Duration.seconds(seconds))
        connect(proxy, reader)
        database.secret.grant_read(reader)
        function(stack, "Nowhere")

    return app


PROXY_WAYS: list[Callable[[rds.DatabaseProxy, lambda_.Function], object]] = [
    lambda proxy, reader: proxy.connections.allow_from(reader, ec2.Port.tcp(3306)),
    lambda proxy, reader: reader.add_environment("HOST", proxy.endpoint),
]


@pytest.mark.parametrize("connect", PROXY_WAYS)
def test_a_proxy_limits_what_is_behind_it(
    connect: Callable[[rds.DatabaseProxy, lambda_.Function], object], findings: Findings
) -> None:
    assert findings(CONCURRENCY, behind_a_proxy(connect)) == []


@pytest.mark.parametrize("connect", PROXY_WAYS)
def test_a_proxy_lets_no_function_wait_for_longer_than_it_has(
    connect: Callable[[rds.DatabaseProxy, lambda_.Function], object], findings: Findings
) -> None:
    (finding,) = findings(BORROW, behind_a_proxy(connect))
    assert finding.problem == (
        "Stack0/Database/Proxy/ProxyTargetGroup lets a client wait 120 s for a connection, and Stack0/Function has a "
        "timeout of 3 s."
    )
    assert len(findings(BORROW, behind_a_proxy(connect, 10, borrow_timeout=Duration.seconds(10)))) == 1
    assert findings(BORROW, behind_a_proxy(connect, 10, borrow_timeout=Duration.seconds(9))) == []


def test_the_data_api_needs_no_connections(findings: Findings) -> None:
    def app(stack: Stack) -> None:
        database = cluster(stack, vpc(stack), enable_data_api=True)
        database.grant_data_api_access(function(stack))

    assert findings(CONCURRENCY, app) == []


def on_mysql(value: str, **concurrency: int | None) -> Callable[[Stack], None]:
    def app(stack: Stack) -> None:
        database = instance(stack, vpc(stack), parameters={"max_connections": value})
        for name, reserved in concurrency.items():
            by_environment(database, function(stack, name, reserved_concurrent_executions=reserved))

    return app


def test_nine_hundred_functions_on_ten_connections(findings: Findings) -> None:
    (finding,) = findings(CONNECTIONS, on_mysql("10", One=700, Two=200))
    assert finding.resource.name == "Stack0/Database"
    assert finding.problem == (
        "Stack0/Database gives functions 5 connections (max_connections 10, max_connections in the parameter group), "
        "and theirs may hold 900: Stack0/One 700, Stack0/Two 200."
    )


def test_shares_that_add_up_within_the_limit(findings: Findings) -> None:
    assert findings(CONNECTIONS, on_mysql("10", One=3, Two=2, Unlimited=None)) == []
    assert len(findings(CONNECTIONS, on_mysql("10", One=3, Two=3))) == 1


def test_a_formula_in_the_parameter_group(findings: Findings) -> None:
    app = on_mysql("LEAST({DBInstanceClassMemory/12582880},20)", One=16)
    (finding,) = findings(CONNECTIONS, app)
    assert "gives functions 15 connections (max_connections 20, estimated from" in finding.problem


def test_the_default_of_the_class(findings: Findings) -> None:
    def app(reserved: int) -> Callable[[Stack], None]:
        def make(stack: Stack) -> None:
            database = instance(stack, vpc(stack), engine=POSTGRES_16)
            by_environment(database, function(stack, reserved_concurrent_executions=reserved))

        return make

    (finding,) = findings(CONNECTIONS, app(100))
    assert "max_connections 73, estimated from db.t4g.micro's memory" in finding.problem
    assert findings(CONNECTIONS, app(50)) == []


def test_aurora_takes_the_table_and_the_writer(findings: Findings) -> None:
    def app(stack: Stack) -> None:
        database = cluster(
            stack,
            vpc(stack),
            readers=[rds.ClusterInstance.provisioned("Reader", instance_type=ec2.InstanceType("t4g.medium"))],
        )
        by_environment(database, function(stack, "Writer", reserved_concurrent_executions=80))
        reports = function(stack, "Reports", reserved_concurrent_executions=80)
        reports.add_environment("HOST", database.cluster_read_endpoint.hostname)

    assert findings(CONNECTIONS, app) == []


def test_aurora_serverless(findings: Findings) -> None:
    def app(stack: Stack) -> None:
        database = cluster(
            stack,
            vpc(stack),
            writer=rds.ClusterInstance.serverless_v2("Writer"),
            serverless_v2_min_capacity=0.5,
            serverless_v2_max_capacity=4,
        )
        by_environment(database, function(stack, reserved_concurrent_executions=131))

    (finding,) = findings(CONNECTIONS, app)
    assert (
        "gives functions 130 connections (max_connections 135, Aurora's table for a maximum of 4 ACU)"
        in finding.problem
    )


def test_what_the_template_does_not_tell_breaks_nothing(findings: Findings) -> None:
    def app(stack: Stack) -> None:
        imported = rds.ParameterGroup.from_parameter_group_name(stack, "Group", "theirs")
        by_environment(
            instance(stack, vpc(stack), parameter_group=imported), function(stack, reserved_concurrent_executions=900)
        )

    assert findings(CONNECTIONS, app) == []


ISOLATED = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)


def test_a_role_of_ones_own(findings: Findings) -> None:
    def app(stack: Stack) -> None:
        network = vpc(stack)
        database = instance(stack, network)
        assert database.secret
        read = iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=[database.secret.secret_arn])
        document = iam.PolicyDocument(statements=[read])
        role = iam.Role(stack, "Role", assumed_by=LAMBDA, inline_policies={"Read": document})
        managed = iam.ManagedPolicy(stack, "Managed", statements=[read])
        other = iam.Role(stack, "Other", assumed_by=LAMBDA, managed_policies=[managed])
        for name, its in (("Inline", role), ("ByManagedPolicy", other)):
            reader = function(stack, name, role=its, vpc=network, vpc_subnets=ISOLATED)
            database.connections.allow_from(reader, ec2.Port.all_tcp())

    assert {finding.resource.name for finding in findings(CONCURRENCY, app)} == {
        "Stack0/Inline",
        "Stack0/ByManagedPolicy",
    }


def test_a_password_from_a_secret_of_ones_own(findings: Findings) -> None:
    def app(stack: Stack) -> None:
        secret = rds.DatabaseSecret(stack, "Secret", username="app")
        credentials = rds.Credentials.from_password("app", SecretValue.secrets_manager(secret.secret_arn))
        network = vpc(stack)
        database = instance(stack, network, credentials=credentials, backup_retention=Duration.days(1))
        reader = function(stack, vpc=network, vpc_subnets=ISOLATED)
        database.connections.allow_from(reader, ec2.Port.all_tcp())
        secret.grant_read(reader)

    (finding,) = findings(CONCURRENCY, app)
    assert finding.resource.name == "Stack0/Function"
