"""Users of a function's own: what the deployment is told to make, in which order, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Annotations, Match, Template

from cdk_breakwater import (
    BreakwaterError,
    ConnectionBudget,
    DatabaseCredentials,
    DatabaseEngine,
    Downstream,
    PublicSslDatabaseFunction,
    VpcDatabaseFunction,
)
from tests.unit.databases import POSTGRESQL, imported_instance

GRANTS = ["SELECT, INSERT ON shop.*"]
MASTER_USER = Match.string_like_regexp(r"logs in as the database's master user.*\[ack: cdk-breakwater:master-user\]")


def orders(**options: Any) -> DatabaseCredentials:
    return DatabaseCredentials.user("orders", **{"grants": GRANTS, **options})


def only(template: Template, kind: str) -> Mapping[str, Any]:
    (found,) = template.find_resources(kind).values()
    return found


def function(template: Template, handler: str) -> tuple[str, Mapping[str, Any]]:
    found = template.find_resources("AWS::Lambda::Function", {"Properties": {"Handler": handler}})
    ((name, resource),) = found.items()
    return name, resource


def user(template: Template) -> dict[str, Any]:
    return only(template, "Custom::DatabaseUser")["Properties"]


def imported(stack: cdk.Stack) -> rds.IDatabaseInstance:
    database = imported_instance(
        stack,
        instance_resource_id="db-SHOP",
        security_groups=[ec2.SecurityGroup.from_security_group_id(stack, "ImportedGroup", "sg-12345678")],
    )
    ConnectionBudget.of(database, max_connections=112)
    return database


def secret(stack: cdk.Stack, id: str = "Secret") -> secretsmanager.ISecret:
    arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop-AbCdEf"
    return secretsmanager.Secret.from_secret_complete_arn(stack, id, arn)


def test_a_user_of_its_own(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    made = VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, credentials=orders(), **code)
    template = Template.from_stack(stack)
    administration, administrator = function(template, "database_administration.administration.handler")
    answer, answering = function(template, "database_administration.answer.handler")
    assert made.database_user is not None
    assert made.database_user.secret is not None
    arn = stack.resolve(made.database_user.secret.secret_arn)
    assert user(template) == {
        "ServiceToken": {"Fn::GetAtt": [answer, "Arn"]},
        "ServiceTimeout": "900",
        "User": "orders",
        "Grants": [{"Privileges": ["SELECT", "INSERT"], "On": "TABLE", "Name": ["shop", "*"]}],
        # a share of 79, and the 20 of 100 usable connections that are not handed out
        "ConnectionLimit": 99,
        "Server": {"Fn::Join": ["", [{"Fn::GetAtt": ["DatabaseB269D8BB", "Endpoint.Address"]}, ":5432"]]},
        "Database": "postgres",
        "SecretArn": arn,
    }
    # in RDS's format: the attachment adds engine, host, port and dbname
    template.has_resource_properties(
        "AWS::SecretsManager::Secret",
        {"GenerateSecretString": {"SecretStringTemplate": '{"username":"orders"}', "GenerateStringKey": "password"}},
    )
    template.has_resource_properties(
        "AWS::SecretsManager::SecretTargetAttachment", {"TargetId": {"Ref": "DatabaseB269D8BB"}}
    )
    orders_function = function(template, "index.handler")[1]
    variables = orders_function["Properties"]["Environment"]["Variables"]
    assert variables["BREAKWATER_SECRET_ARN"] == arn
    (user_id,) = template.find_resources("Custom::DatabaseUser")
    assert user_id in orders_function["DependsOn"]
    # by which the administration reads its secret
    ways = routes(template, "NatGatewayId")
    assert ways
    assert ways <= set(only(template, "Custom::DatabaseUser")["DependsOn"])
    # one connection, for deployments; in the VPC, and the one that answers out of it
    assert administrator["Properties"]["ReservedConcurrentExecutions"] == 1
    assert orders_function["Properties"]["ReservedConcurrentExecutions"] == 79
    assert "VpcConfig" in administrator["Properties"]
    assert "VpcConfig" not in answering["Properties"]
    assert answering["Properties"]["Environment"]["Variables"] == {
        "ADMINISTRATION_FUNCTION": {"Ref": administration},
        "ADMINISTRATION_TIMEOUT": "120",
    }
    # the function reads its own secret only, the administration both
    master = {"Ref": "DatabaseSecretAttachmentE5D1B020"}
    role, own_role = (made["Properties"]["Role"]["Fn::GetAtt"][0] for made in (administrator, orders_function))
    assert readers_of(template, master) == {role}
    assert readers_of(template, arn) == {role, own_role}


def readers_of(template: Template, secret_arn: Any) -> set[str]:
    return {
        role["Ref"]
        for policy in template.find_resources("AWS::IAM::Policy").values()
        for role in policy["Properties"]["Roles"]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Resource"] == secret_arn
    }


def routes(template: Template, by: str) -> set[str]:
    """Return the routes of the subnets that lead out so."""
    found = template.find_resources("AWS::EC2::Route")
    return {id_ for id_, route in found.items() if by in route["Properties"]}


def test_it_comes_after_all_that_the_administration_needs(stack: cdk.Stack, code: dict[str, Any]) -> None:
    isolated = ec2.SubnetConfiguration(name="Isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
    vpc = ec2.Vpc(stack, "Vpc", max_azs=2, nat_gateways=0, subnet_configuration=[isolated])
    database = rds.DatabaseCluster(
        stack,
        "Database",
        engine=rds.DatabaseClusterEngine.aurora_mysql(version=rds.AuroraMysqlEngineVersion.VER_3_08_0),
        vpc=vpc,
        vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
        writer=rds.ClusterInstance.provisioned(
            "Writer", instance_type=ec2.InstanceType.of(ec2.InstanceClass.R6G, ec2.InstanceSize.LARGE)
        ),
    )
    database.add_rotation_single_user()
    VpcDatabaseFunction(
        stack, "Orders", database=database, vpc=vpc, credentials=orders(), verify_at_deploy=True, **code
    )
    template = Template.from_stack(stack)
    # A rotation begins with its schedule: the administration waits for its end, see "Rotation" of docs/logins.md.
    kinds = ("RDS::DBInstance", "EC2::VPCEndpoint", "EC2::SecurityGroupIngress", "SecretsManager::RotationSchedule")
    for resource in ("Custom::DatabaseUser", "Custom::MaxConnections"):
        needed = set(only(template, resource)["DependsOn"])
        for kind in kinds:
            found = set(template.find_resources(f"AWS::{kind}"))
            assert found, kind
            assert found <= needed, (resource, kind)
    assert function(template, "database_administration.administration.handler")[0] in needed


@pytest.mark.parametrize(
    ("concurrency", "utilization", "expected"),
    # never more than twice the share, never more than share and what the budget leaves over
    [(5, 0.8, 10), (60, 0.8, 80), (60, 1.0, 60)],
)
def test_the_limit_is_the_share_and_what_may_overlap(
    stack: cdk.Stack,
    vpc: ec2.Vpc,
    database: rds.DatabaseInstance,
    code: dict[str, Any],
    concurrency: int,
    utilization: float,
    expected: int,
) -> None:
    ConnectionBudget.of(database, utilization=utilization)
    VpcDatabaseFunction(
        stack, "Orders", database=database, vpc=vpc, credentials=orders(), concurrency=concurrency, **code
    )
    assert user(Template.from_stack(stack))["ConnectionLimit"] == expected


def test_a_later_function_changes_the_limit(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, credentials=orders(), **code)
    VpcDatabaseFunction(stack, "Nightly", database=database, vpc=vpc, concurrency=39, **code)
    # 80 - 1 - 39 = 40 for orders
    assert user(Template.from_stack(stack))["ConnectionLimit"] == 60


def test_two_functions_share_a_user(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    shared = orders()
    one = VpcDatabaseFunction(stack, "One", database=database, vpc=vpc, credentials=shared, concurrency=3, **code)
    two = VpcDatabaseFunction(stack, "Two", database=database, vpc=vpc, credentials=shared, concurrency=4, **code)
    assert one.database_user is two.database_user
    assert user(Template.from_stack(stack))["ConnectionLimit"] == 14


@pytest.mark.parametrize("name", ["Function", "Answer", "MaxConnections", "a_b-c"])
def test_no_name_is_taken_by_the_administration_itself(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any], name: str
) -> None:
    login = DatabaseCredentials.user(name, grants=GRANTS)
    VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, credentials=login, verify_at_deploy=True, **code)
    assert user(Template.from_stack(stack))["User"] == name


def test_two_users_of_one_name_are_refused(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    VpcDatabaseFunction(stack, "One", database=database, vpc=vpc, credentials=orders(), **code)
    with pytest.raises(BreakwaterError) as caught:
        VpcDatabaseFunction(stack, "Two", database=database, vpc=vpc, credentials=orders(), **code)
    assert str(caught.value) == (
        "Stack/Two: the database Stack/Database has a user 'orders' of Stack/One already. Pass one DatabaseCredentials "
        "object to both functions to share the user, or take another name."
    )


def test_a_user_on_each_of_two_databases(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    other = rds.DatabaseInstance(stack, "Other", engine=POSTGRESQL, vpc=vpc, parameters={"max_connections": "60"})
    shared = orders()
    VpcDatabaseFunction(stack, "One", database=database, vpc=vpc, credentials=shared, **code)
    VpcDatabaseFunction(stack, "Two", database=other, vpc=vpc, credentials=shared, **code)
    template = Template.from_stack(stack)
    template.resource_count_is("Custom::DatabaseUser", 2)
    # per database: one that administers, one that answers
    template.resource_count_is("AWS::Lambda::Function", 6)


def test_functions_in_two_stacks(
    app: cdk.App, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    consumers = [cdk.Stack(app, name, env={"account": stack.account, "region": stack.region}) for name in ("A", "B")]
    for consumer, name in zip(consumers, ("orders", "sales"), strict=True):
        VpcDatabaseFunction(
            consumer,
            "Function",
            database=database,
            vpc=vpc,
            credentials=DatabaseCredentials.user(name, grants=GRANTS),
            **code,
        )
    app.synth()
    for consumer in consumers:
        Template.from_stack(consumer).resource_count_is("Custom::DatabaseUser", 1)
    Template.from_stack(stack).resource_count_is("AWS::Lambda::Function", 0)


def test_one_user_for_functions_in_two_stacks(
    app: cdk.App, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    shared = orders()
    consumers = [cdk.Stack(app, name, env={"account": stack.account, "region": stack.region}) for name in ("A", "B")]
    for consumer in consumers:
        VpcDatabaseFunction(consumer, "Function", database=database, vpc=vpc, credentials=shared, concurrency=3, **code)
    app.synth()
    first, second = (Template.from_stack(consumer) for consumer in consumers)
    assert user(first)["ConnectionLimit"] == 12
    second.resource_count_is("Custom::DatabaseUser", 0)
    assert [stack.node.id for stack in consumers[1].dependencies if stack is consumers[0]] == ["A"]


def test_nested_stacks_and_stages(app: cdk.App, code: dict[str, Any]) -> None:
    outer = cdk.Stack(cdk.Stage(app, "Stage"), "Outer")
    inner = cdk.NestedStack(outer, "Inner")
    vpc = ec2.Vpc(inner, "Vpc", max_azs=2, nat_gateways=1)
    database = rds.DatabaseInstance(
        inner, "Database", engine=POSTGRESQL, vpc=vpc, parameters={"max_connections": "112"}
    )
    functions = cdk.NestedStack(outer, "Functions")
    VpcDatabaseFunction(outer, "One", database=database, vpc=vpc, credentials=orders(), **code)
    sales = DatabaseCredentials.user("sales", grants=GRANTS)
    VpcDatabaseFunction(functions, "Two", database=database, vpc=vpc, credentials=sales, **code)
    for stack in (outer, functions):
        Template.from_stack(stack).resource_count_is("Custom::DatabaseUser", 1)


def test_another_name_is_another_user_with_another_secret(app: cdk.App, code: dict[str, Any]) -> None:
    ids = []
    for name in ("orders", "sales"):
        stack = cdk.Stack(cdk.App(), "Stack")
        vpc = ec2.Vpc(stack, "Vpc", max_azs=1)
        database = rds.DatabaseInstance(
            stack, "Database", engine=POSTGRESQL, vpc=vpc, parameters={"max_connections": "112"}
        )
        login = DatabaseCredentials.user(name, grants=GRANTS)
        VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, credentials=login, **code)
        template = Template.from_stack(stack)
        generated = {"Properties": {"GenerateSecretString": {"SecretStringTemplate": f'{{"username":"{name}"}}'}}}
        ids.append(
            {
                *template.find_resources("Custom::DatabaseUser"),
                *template.find_resources("AWS::SecretsManager::Secret", generated),
            }
        )
    assert len(ids[0]) == len(ids[1]) == 2
    assert not ids[0] & ids[1]


def test_the_administrators_key_encrypts_the_users_secret(stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
    key = kms.Key(stack, "Key")
    database = rds.DatabaseInstance(
        stack,
        "Database",
        engine=POSTGRESQL,
        vpc=vpc,
        parameters={"max_connections": "112"},
        credentials=rds.Credentials.from_generated_secret("master", encryption_key=key),
    )
    VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, credentials=orders(), **code)
    secrets = Template.from_stack(stack).find_resources("AWS::SecretsManager::Secret").values()
    assert [made["Properties"]["KmsKeyId"] for made in secrets] == [stack.resolve(key.key_arn)] * 2


def test_retained(stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]) -> None:
    login = orders(removal_policy=RemovalPolicy.RETAIN)
    VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, credentials=login, **code)
    template = Template.from_stack(stack)
    assert only(template, "Custom::DatabaseUser")["DeletionPolicy"] == "Retain"
    template.has_resource("AWS::SecretsManager::Secret", {"DeletionPolicy": "Retain"})


def test_an_iam_login(stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]) -> None:
    login = DatabaseCredentials.iam("orders", grants=GRANTS)
    made = VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, credentials=login, **code)
    template = Template.from_stack(stack)
    assert "SecretArn" not in user(template)
    assert made.database_user is not None
    assert made.database_user.secret is None
    variables = function(template, "index.handler")[1]["Properties"]["Environment"]["Variables"]
    assert variables["BREAKWATER_AUTH"] == "iam"
    assert variables["BREAKWATER_USER"] == "orders"
    template.has_resource_properties("AWS::RDS::DBInstance", {"EnableIAMDatabaseAuthentication": True})
    template.resource_count_is("AWS::SecretsManager::Secret", 1)


def test_an_endpoints_secret_says_where_it_is(stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
    database = Downstream.endpoint(
        stack,
        "Shop",
        host="shop.example.net",
        engine=DatabaseEngine.MARIADB,
        max_connections=105,
        secret=secret(stack),
        database_name="shop",
    )
    VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, credentials=orders(), **code)
    template = Template.from_stack(stack)
    generated = only(template, "AWS::SecretsManager::Secret")["Properties"]["GenerateSecretString"]
    assert json.loads(generated["SecretStringTemplate"]) == {
        "username": "orders",
        "engine": "mariadb",
        "host": "shop.example.net",
        "port": 3306,
        "dbname": "shop",
    }
    assert user(template)["Database"] == "shop"


class TestWithoutADatabaseName:
    """libpq takes the user's name for the database, and no database of that name exists."""

    def test_the_engines_own_is_used(
        self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        function = VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, credentials=orders(), **code)
        variables = Template.from_stack(stack).find_resources(
            "AWS::Lambda::Function", {"Properties": {"Environment": {"Variables": {"BREAKWATER_DATABASE": "postgres"}}}}
        )
        assert stack.get_logical_id(function.node.default_child) in variables  # type: ignore[arg-type]
        assert user(Template.from_stack(stack))["Database"] == "postgres"

    def test_an_endpoint_must_name_it(self, stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
        database = Downstream.endpoint(
            stack,
            "Shop",
            host="shop.example.net",
            engine=DatabaseEngine.POSTGRESQL,
            max_connections=105,
            secret=secret(stack),
        )
        with pytest.raises(
            BreakwaterError, match=r"Stack/Orders: Stack/Shop has no database_name.*Pass database_name="
        ):
            VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, credentials=orders(), **code)


def test_a_proxy_may_open_its_whole_pool_as_the_user(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    shared = orders()
    VpcDatabaseFunction(stack, "Pooled", database=database, vpc=vpc, credentials=shared, proxy=True, **code)
    VpcDatabaseFunction(stack, "Direct", database=database, vpc=vpc, credentials=shared, concurrency=2, **code)
    template = Template.from_stack(stack)
    # 70 % of 112, and twice 2
    assert user(template)["ConnectionLimit"] == 78 + 4
    _, administration = function(template, "database_administration.administration.handler")
    host = administration["Properties"]["Environment"]["Variables"]["BREAKWATER_HOST"]
    assert host == {"Fn::GetAtt": ["DatabaseB269D8BB", "Endpoint.Address"]}
    (proxy,) = template.find_resources("AWS::RDS::DBProxy").values()
    assert [auth["SecretArn"] for auth in proxy["Properties"]["Auth"]] == [user(template)["SecretArn"]]


def test_readers_take_their_users_from_the_writer(stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
    size = ec2.InstanceType.of(ec2.InstanceClass.R6G, ec2.InstanceSize.LARGE)
    cluster = rds.DatabaseCluster(
        stack,
        "Cluster",
        engine=rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_17_5),
        vpc=vpc,
        parameters={"max_connections": "112"},
        writer=rds.ClusterInstance.provisioned("Writer", instance_type=size),
        readers=[rds.ClusterInstance.provisioned("Reader", instance_type=size)],
    )
    shared = orders()
    readers = Downstream.readers(cluster)
    VpcDatabaseFunction(stack, "Writer", database=cluster, vpc=vpc, credentials=shared, concurrency=5, **code)
    VpcDatabaseFunction(
        stack, "Reader", database=readers, vpc=vpc, credentials=shared, concurrency=8, verify_at_deploy=True, **code
    )
    template = Template.from_stack(stack)
    made, verification = user(template), only(template, "Custom::MaxConnections")["Properties"]
    assert made["Server"]["Fn::Join"][1][0]["Fn::GetAtt"][1] == "Endpoint.Address"
    # what reads the reader's number cannot make users
    assert made["ServiceToken"] != verification["ServiceToken"]
    # 10 on the writer, 16 on the reader: one limit for both
    assert made["ConnectionLimit"] == 16


def test_a_replica_takes_its_users_from_its_source(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    replica = rds.DatabaseInstanceReadReplica(
        stack,
        "Replica",
        source_database_instance=database,
        instance_type=ec2.InstanceType.of(ec2.InstanceClass.T4G, ec2.InstanceSize.LARGE),
        vpc=vpc,
    )
    ConnectionBudget.of(replica, max_connections=62)
    shared = orders()
    VpcDatabaseFunction(stack, "Writer", database=database, vpc=vpc, credentials=shared, concurrency=5, **code)
    VpcDatabaseFunction(stack, "Reader", database=replica, vpc=vpc, credentials=shared, concurrency=8, **code)
    made = user(Template.from_stack(stack))
    assert made["Server"]["Fn::Join"][1][0] == {"Fn::GetAtt": ["DatabaseB269D8BB", "Endpoint.Address"]}
    # 10 on the writer, 16 on the replica: one limit for both
    assert made["ConnectionLimit"] == 16


def test_an_imported_database_needs_its_administrators_secret(
    stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]
) -> None:
    database = imported(stack)
    with pytest.raises(BreakwaterError) as caught:
        VpcDatabaseFunction(stack, "One", database=database, vpc=vpc, credentials=orders(), **code)
    assert str(caught.value) == (
        "Stack/One: the user 'orders' with grants works on the database Stack/Imported as its administrator, and the "
        "app does not know its secret. Pass administrator=secret to DatabaseCredentials.user(…) or .iam(…)."
    )
    login = orders(administrator=secret(stack))
    environment = {"BREAKWATER_DATABASE": "shop"}
    VpcDatabaseFunction(stack, "Two", database=database, vpc=vpc, credentials=login, environment=environment, **code)
    template = Template.from_stack(stack)
    # the grants are about the database that the function's own variable names
    assert user(template)["Database"] == "shop"


def test_engines_without_such_users(stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
    cache = Downstream.endpoint(
        stack, "Cache", host="cache.example.net", engine=DatabaseEngine.REDIS, max_connections=100, secret=secret(stack)
    )
    with pytest.raises(BreakwaterError) as caught:
        VpcDatabaseFunction(stack, "Orders", database=cache, vpc=vpc, credentials=orders(), **code)
    assert str(caught.value) == (
        "Stack/Orders: the user 'orders' with grants is for MySQL, MariaDB and PostgreSQL, and Stack/Cache is redis. "
        "Leave it out."
    )


def test_grants_and_names_are_checked_at_synth(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    with pytest.raises(BreakwaterError, match=r"Stack/One: the grant 'SELECT ON shop.\*; DROP' is not understood"):
        VpcDatabaseFunction(
            stack, "One", database=database, vpc=vpc, credentials=orders(grants=["SELECT ON shop.*; DROP"]), **code
        )
    login = DatabaseCredentials.user("o; x", grants=GRANTS)
    with pytest.raises(BreakwaterError, match="Stack/Two: 'o; x' is not a valid name for a database user"):
        VpcDatabaseFunction(stack, "Two", database=database, vpc=vpc, credentials=login, **code)


def test_node_functions_and_functions_without_reserved_concurrency(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    node = {**code, "code": lambda_.Code.from_inline("exports.handler = async () => {}")}
    node["runtime"] = lambda_.Runtime.NODEJS_24_X
    VpcDatabaseFunction(
        stack, "Orders", database=database, vpc=vpc, credentials=orders(), reserve_concurrency=False, **node
    )
    _, administration = function(Template.from_stack(stack), "database_administration.administration.handler")
    assert administration["Properties"]["Runtime"] == "python3.14"
    assert "ReservedConcurrentExecutions" not in administration["Properties"]


def test_outside_a_vpc(stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
    database = rds.DatabaseInstance(
        stack,
        "Database",
        engine=POSTGRESQL,
        vpc=vpc,
        publicly_accessible=True,
        vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
        parameters={"max_connections": "112"},
    )
    PublicSslDatabaseFunction(
        stack, "Orders", database=database, credentials=orders(), acknowledge_public_access="a partner", **code
    )
    template = Template.from_stack(stack)
    _, administration = function(template, "database_administration.administration.handler")
    assert "VpcConfig" not in administration["Properties"]
    needed = only(template, "Custom::DatabaseUser")["DependsOn"]
    ways = routes(template, "GatewayId")
    assert ways
    assert ways <= set(needed), "CloudFormation makes the way from the internet beside the database"


class TestMasterUser:
    def test_the_synth_says_so(
        self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        VpcDatabaseFunction(stack, "One", database=database, vpc=vpc, **code)
        VpcDatabaseFunction(stack, "Two", database=database, vpc=vpc, **code)
        cdk.Annotations.of(stack.node.find_child("Two")).acknowledge_info("cdk-breakwater:master-user")
        found = Annotations.from_stack(stack).find_info("*", MASTER_USER)
        assert [message.id for message in found] == ["/Stack/One"]

    def test_not_of_other_logins_nor_of_the_administration(
        self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        VpcDatabaseFunction(stack, "One", database=database, vpc=vpc, credentials=orders(), **code)
        VpcDatabaseFunction(
            stack, "Two", database=database, vpc=vpc, credentials=DatabaseCredentials.secret(secret(stack)), **code
        )
        assert not Annotations.from_stack(stack).find_info("*", MASTER_USER)


class TestVerifyAtDeploy:
    def test_once_per_database_and_before_the_functions(
        self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        for id in ("One", "Two"):
            VpcDatabaseFunction(stack, id, database=database, vpc=vpc, verify_at_deploy=True, **code)
        template = Template.from_stack(stack)
        properties = only(template, "Custom::MaxConnections")["Properties"]
        assert properties["MaxConnections"] == "112"
        assert properties["Basis"] == "max_connections in the parameter group"
        (verification,) = template.find_resources("Custom::MaxConnections")
        callers = template.find_resources("AWS::Lambda::Function", {"Properties": {"Handler": "index.handler"}})
        assert all(verification in caller["DependsOn"] for caller in callers.values())

    def test_with_the_functions_own_secret_where_it_is_the_only_one(
        self, stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]
    ) -> None:
        login = DatabaseCredentials.secret(secret(stack))
        VpcDatabaseFunction(
            stack, "Orders", database=imported(stack), vpc=vpc, credentials=login, verify_at_deploy=True, **code
        )
        _, administration = function(Template.from_stack(stack), "database_administration.administration.handler")
        variables = administration["Properties"]["Environment"]["Variables"]
        assert variables["BREAKWATER_SECRET_ARN"].endswith("secret:shop-AbCdEf")

    def test_a_server_that_is_not_asked(self, stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
        with pytest.raises(BreakwaterError, match=r"verify_at_deploy=True works on the database Stack/Imported as its"):
            VpcDatabaseFunction(
                stack,
                "Orders",
                database=imported(stack),
                vpc=vpc,
                credentials=DatabaseCredentials.iam("orders"),
                verify_at_deploy=True,
                **code,
            )
