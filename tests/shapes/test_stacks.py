"""Where things stand: stacks, Stages, nested stacks, environments, and what is imported."""

from __future__ import annotations

from collections.abc import Callable

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager

from cdk_breakwater import (
    ConnectionBudget,
    DatabaseCredentials,
    DecoupledInvocation,
    ThrottledApi,
    VpcDatabaseFunction,
)

from .conftest import ENVIRONMENT, POSTGRESQL, SECRET, Templates, code, database_in, stack_in, vpc_in

Synthesize = Callable[[], Templates]


def test_the_linter_would_have_found_something(app: cdk.App, synthesized: Synthesize) -> None:
    cdk.CfnResource(stack_in(app, "Shop"), "Queue", type="AWS::SQS::Queue", properties={"VisibilityTimeout": "long"})
    with pytest.raises(AssertionError, match="E3012"):
        synthesized()


def test_a_database_in_a_stack_of_its_own(app: cdk.App, synthesized: Synthesize) -> None:
    data, compute = stack_in(app, "Data"), stack_in(app, "Compute")
    database = database_in(vpc_in(data))
    VpcDatabaseFunction(compute, "Orders", database=database, vpc=database.vpc, **code())
    templates = synthesized()
    assert [stack.stack_name for stack in compute.dependencies] == ["Data"]
    assert not data.dependencies
    assert templates["Compute"].concurrency == [80]
    ingress = templates["Compute"].one("AWS::EC2::SecurityGroupIngress")
    assert "Fn::ImportValue" in ingress["GroupId"]
    assert ingress["ToPort"] == 5432


def test_a_vpc_in_a_stack_of_its_own(app: cdk.App, synthesized: Synthesize) -> None:
    network, shop = stack_in(app, "Network"), stack_in(app, "Shop")
    vpc = vpc_in(network)
    VpcDatabaseFunction(shop, "Orders", database=database_in(vpc, shop), vpc=vpc, **code())
    subnets = synthesized()["Shop"].one("AWS::Lambda::Function")["VpcConfig"]["SubnetIds"]
    assert len(subnets) == 2
    assert all("Fn::ImportValue" in subnet for subnet in subnets)


def test_network_data_and_functions_apart(app: cdk.App, synthesized: Synthesize) -> None:
    network, data, compute = (stack_in(app, name) for name in ("Network", "Data", "Compute"))
    vpc = vpc_in(network)
    VpcDatabaseFunction(compute, "Orders", database=database_in(vpc, data), vpc=vpc, **code())
    assert synthesized()["Compute"].concurrency == [80]
    assert {stack.stack_name for stack in compute.dependencies} == {"Network", "Data"}


def test_a_stage(app: cdk.App, synthesized: Synthesize) -> None:
    stack = stack_in(cdk.Stage(app, "Prod", env=ENVIRONMENT), "Shop")
    database = database_in(vpc_in(stack))
    VpcDatabaseFunction(stack, "Orders", database=database, vpc=database.vpc, **code())
    (template,) = synthesized().values()
    assert template.concurrency == [80]


def test_two_stages_have_a_budget_each(app: cdk.App, synthesized: Synthesize) -> None:
    for name in ("Beta", "Prod"):
        stack = cdk.Stack(cdk.Stage(app, name), "Shop")
        database = database_in(vpc_in(stack))
        VpcDatabaseFunction(stack, "Orders", database=database, vpc=database.vpc, **code())
    assert [template.concurrency for template in synthesized().values()] == [[80], [80]]


def test_without_an_environment(app: cdk.App, synthesized: Synthesize) -> None:
    stack = cdk.Stack(app, "Shop")
    database = database_in(vpc_in(stack))
    function = VpcDatabaseFunction(stack, "Orders", database=database, vpc=database.vpc, **code())
    DecoupledInvocation(stack, "Jobs", function=function)
    template = synthesized()["Shop"]
    assert template.one("AWS::Lambda::EventSourceMapping")["ScalingConfig"] == {"MaximumConcurrency": 80}


@pytest.mark.parametrize("nested", [False, True])
def test_secrets_under_a_key_of_another_stack(app: cdk.App, synthesized: Synthesize, nested: bool) -> None:
    data = stack_in(app, "Data")
    shop = cdk.NestedStack(data, "Shop") if nested else stack_in(app, "Shop")
    key = kms.Key(data, "Key", enable_key_rotation=True)
    login = rds.Credentials.from_generated_secret("admin", encryption_key=key)
    database = database_in(vpc_in(data), credentials=login)
    for name, credentials in (("Master", None), ("Own", DatabaseCredentials.user("own", grants=["pg_monitor"]))):
        VpcDatabaseFunction(shop, name, database=database, vpc=database.vpc, credentials=credentials, **code())
    templates = synthesized()
    (template,) = (template for name, template in templates.items() if "Shop" in name)
    statements = {
        id_: [statement["Action"] for statement in policy["PolicyDocument"]["Statement"]]
        for id_, policy in template.all("AWS::IAM::Policy").items()
    }
    reading = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
    readers = {id_ for id_, actions in statements.items() if reading in actions and "kms:Decrypt" in actions}
    functions = {id_.split("Function")[0].split("Role")[0].removeprefix("DatabaseAdministration") for id_ in readers}
    assert len(functions) == 3
    assert functions > {"Master", "Own"}
    assert not data.dependencies


def test_a_proxy_with_secrets_under_a_key_of_another_stack(app: cdk.App, synthesized: Synthesize) -> None:
    keys, shop = stack_in(app, "Keys"), stack_in(app, "Shop")
    secret = secretsmanager.Secret(keys, "Secret", encryption_key=kms.Key(keys, "Key", enable_key_rotation=True))
    database = database_in(vpc_in(shop))
    login = DatabaseCredentials.secret(secret)
    VpcDatabaseFunction(shop, "Orders", database=database, vpc=database.vpc, proxy=True, credentials=login, **code())
    assert synthesized()["Shop"].one("AWS::RDS::DBProxy")["Auth"]
    assert not keys.dependencies


def imported_database(stack: cdk.Stack) -> rds.IDatabaseInstance:
    return rds.DatabaseInstance.from_database_instance_attributes(
        stack,
        "Database",
        instance_identifier="shop",
        instance_endpoint_address="shop.example.eu-central-1.rds.amazonaws.com",
        port=5432,
        engine=POSTGRESQL,
        security_groups=[ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-12345678")],
    )


def imported_vpc(stack: cdk.Stack, kind: str) -> ec2.IVpc:
    return ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-12345678",
        availability_zones=["eu-central-1a", "eu-central-1b"],
        **{f"{kind}_subnet_ids": ["subnet-12345678", "subnet-87654321"]},
    )


@pytest.mark.parametrize("kind", ["private", "isolated"])
def test_everything_imported(app: cdk.App, synthesized: Synthesize, kind: str) -> None:
    stack = stack_in(app, "Shop")
    database = imported_database(stack)
    ConnectionBudget.of(database, max_connections=112, external_connections=30)
    secret = secretsmanager.Secret.from_secret_complete_arn(stack, "Secret", SECRET)
    VpcDatabaseFunction(
        stack,
        "Orders",
        database=database,
        vpc=imported_vpc(stack, kind),
        credentials=DatabaseCredentials.secret(secret),
        **code(),
    )
    template = synthesized()["Shop"]
    assert template.concurrency == [56]
    assert len(template.all("AWS::EC2::VPCEndpoint")) == (kind == "isolated")
    rules = template.all("AWS::EC2::SecurityGroupIngress").values()
    assert [rule["ToPort"] for rule in rules if rule["GroupId"] == "sg-12345678"] == [5432]


def test_a_database_that_two_stacks_import_is_one(app: cdk.App, synthesized: Synthesize) -> None:
    stacks = [stack_in(app, name) for name in ("Orders", "Reports")]
    databases = [imported_database(stack) for stack in stacks]
    ConnectionBudget.of(databases[0], max_connections=112)
    for stack, database in zip(stacks, databases, strict=True):
        secret = secretsmanager.Secret.from_secret_complete_arn(stack, "Secret", SECRET)
        credentials = DatabaseCredentials.secret(secret)
        vpc = imported_vpc(stack, "private")
        VpcDatabaseFunction(stack, "Fn", database=database, vpc=vpc, credentials=credentials, **code())
    assert [template.concurrency for template in synthesized().values()] == [[40], [40]]


def test_nested_stacks(app: cdk.App, synthesized: Synthesize) -> None:
    root = stack_in(app, "Root")
    data, compute = cdk.NestedStack(root, "Data"), cdk.NestedStack(root, "Compute")
    database = database_in(vpc_in(data), data)
    VpcDatabaseFunction(compute, "Orders", database=database, vpc=database.vpc, **code())
    templates = synthesized()
    nested = next(template for name, template in templates.items() if name.startswith("RootCompute"))
    assert nested.concurrency == [80]
    assert len(templates) == 3


def test_three_stacks_share_one_budget(app: cdk.App, synthesized: Synthesize) -> None:
    data = stack_in(app, "Data")
    database = database_in(vpc_in(data))
    for name in ("One", "Two", "Three"):
        stack = stack_in(app, name)
        VpcDatabaseFunction(stack, "Fn", database=database, vpc=database.vpc, **code())
    templates = synthesized()
    concurrency = [templates[name].concurrency[0] for name in ("One", "Two", "Three")]
    assert (sum(concurrency), sorted(concurrency)) == (80, [26, 27, 27])


def test_a_source_in_another_stack_than_its_function(app: cdk.App, synthesized: Synthesize) -> None:
    shop, jobs = stack_in(app, "Shop"), stack_in(app, "Jobs")
    database = database_in(vpc_in(shop))
    function = VpcDatabaseFunction(shop, "Orders", database=database, vpc=database.vpc, **code())
    DecoupledInvocation(jobs, "Queue", function=function)
    templates = synthesized()
    assert templates["Shop"].one("AWS::Lambda::EventSourceMapping")["ScalingConfig"] == {"MaximumConcurrency": 80}
    assert templates["Jobs"].all("AWS::SQS::Queue")


def test_an_api_in_another_stack_than_its_function(app: cdk.App, synthesized: Synthesize) -> None:
    shop, front = stack_in(app, "Shop"), stack_in(app, "Front")
    database = database_in(vpc_in(shop))
    function = VpcDatabaseFunction(shop, "Orders", database=database, vpc=database.vpc, **code())
    ThrottledApi(front, "Api", function=function, expected_duration=cdk.Duration.millis(200))
    settings = synthesized()["Front"].one("AWS::ApiGateway::Stage")["MethodSettings"]
    every, *root = (each["ThrottlingRateLimit"] for each in settings)
    # 80 environments at 200 ms, less what must find one free; a tenth of it for each method of the root
    assert 340 < every + root[0] < 345
    assert {each["ResourcePath"] for each in settings[1:]} == {"/"}
