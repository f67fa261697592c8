"""A function before Aurora's Data API: what is turned on, granted and set, and what is refused."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Match, Template

from cdk_breakwater import BreakwaterError, DataApiFunction

AURORA = rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_16_4)


def aurora(stack: cdk.Stack, vpc: ec2.Vpc, **options: Any) -> rds.DatabaseCluster:
    return rds.DatabaseCluster(
        stack,
        "Aurora",
        engine=options.pop("engine", AURORA),
        vpc=vpc,
        writer=options.pop("writer", rds.ClusterInstance.serverless_v2("Writer")),
        **options,
    )


def imported(stack: cdk.Stack, **options: Any) -> rds.IDatabaseCluster:
    secret = secretsmanager.Secret.from_secret_name_v2(stack, "Login", "shop/aurora")
    return rds.DatabaseCluster.from_database_cluster_attributes(
        stack, "Imported", cluster_identifier="shop", **{"engine": AURORA, "secret": secret, **options}
    )


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_turns_the_data_api_on(stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
    DataApiFunction(stack, "Data", cluster=aurora(stack, vpc, default_database_name="shop"), **code)
    template = Template.from_stack(stack)
    template.has_resource_properties("AWS::RDS::DBCluster", {"EnableHttpEndpoint": True})
    (function,) = template.find_resources("AWS::Lambda::Function").values()
    properties = function["Properties"]
    assert set(properties["Environment"]["Variables"]) == {
        "BREAKWATER_RESOURCE_ARN",
        "BREAKWATER_SECRET_ARN",
        "BREAKWATER_DATABASE",
    }
    assert properties["Environment"]["Variables"]["BREAKWATER_DATABASE"] == "shop"
    assert "VpcConfig" not in properties
    assert "ReservedConcurrentExecutions" not in properties
    assert (properties["Timeout"], properties["MemorySize"], properties["TracingConfig"]) == (
        30,
        512,
        {"Mode": "Active"},
    )
    template.has_resource_properties("AWS::Logs::LogGroup", {"RetentionInDays": 30})
    template.has_resource_properties(
        "AWS::Lambda::LayerVersion", {"Description": Match.string_like_regexp("no drivers")}
    )


def test_grants_that_cluster_and_that_secret_alone(stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
    cluster = aurora(stack, vpc)
    DataApiFunction(stack, "Data", cluster=cluster, **code)
    template = Template.from_stack(stack)
    for role in template.find_resources("AWS::IAM::Role").values():
        assert "ManagedPolicyArns" not in role["Properties"]
    (policy,) = template.find_resources("AWS::IAM::Policy").values()
    resources = {
        action: statement["Resource"]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        for action in as_list(statement["Action"])
    }
    assert resources["rds-data:ExecuteStatement"] == stack.resolve(cluster.cluster_arn)
    assert cluster.secret is not None
    assert resources["secretsmanager:GetSecretValue"] == stack.resolve(cluster.secret.secret_arn)
    assert {action.split(":")[0] for action, resource in resources.items() if resource == "*"} == {"xray"}


def test_an_imported_cluster_that_says_so(stack: cdk.Stack, code: dict[str, Any]) -> None:
    DataApiFunction(stack, "Data", cluster=imported(stack, data_api_enabled=True), **code)
    Template.from_stack(stack).has_resource_properties(
        "AWS::Lambda::Function",
        {"Environment": {"Variables": {"BREAKWATER_RESOURCE_ARN": {"Fn::Join": Match.any_value()}}}},
    )


def test_an_imported_cluster_that_does_not(stack: cdk.Stack, code: dict[str, Any]) -> None:
    with pytest.raises(BreakwaterError, match=r"Stack/Data: the Data API of the cluster Stack/Imported is off.*=True"):
        DataApiFunction(stack, "Data", cluster=imported(stack), **code)


@pytest.fixture
def elsewhere() -> tuple[cdk.Stack, ec2.Vpc, rds.Credentials]:
    """A stack with a VPC and a master login under a key of its own."""
    data = cdk.Stack(cdk.App(), "Elsewhere")
    login = rds.Credentials.from_generated_secret("master", encryption_key=kms.Key(data, "Key"))
    return data, ec2.Vpc(data, "Vpc", max_azs=2), login


def actions(stack: cdk.Stack) -> set[str]:
    (policy,) = Template.from_stack(stack).find_resources("AWS::IAM::Policy").values()
    statements = policy["Properties"]["PolicyDocument"]["Statement"]
    return {action for statement in statements for action in as_list(statement["Action"])}


def test_a_secret_under_a_key_of_another_stack(
    stack: cdk.Stack, vpc: ec2.Vpc, elsewhere: tuple[cdk.Stack, ec2.Vpc, rds.Credentials], code: dict[str, Any]
) -> None:
    data, its_vpc, login = elsewhere
    shop = cdk.Stack(data.node.root, "Shop")
    DataApiFunction(shop, "Data", cluster=aurora(data, its_vpc, credentials=login), **code)
    DataApiFunction(stack, "Data", cluster=aurora(stack, vpc), **code)
    assert actions(shop) == {*actions(stack), "kms:Decrypt"}
    Template.from_stack(data).has_resource_properties("AWS::RDS::DBCluster", {"EnableHttpEndpoint": True})
    assert not data.dependencies


def test_a_data_api_that_was_turned_off_in_another_stack(
    elsewhere: tuple[cdk.Stack, ec2.Vpc, rds.Credentials], code: dict[str, Any]
) -> None:
    data, its_vpc, login = elsewhere
    off = aurora(data, its_vpc, credentials=login, enable_data_api=False)
    with pytest.raises(BreakwaterError, match=r"Elsewhere/Aurora is off.*Leave out enable_data_api=False"):
        DataApiFunction(cdk.Stack(data.node.root, "Shop"), "Data", cluster=off, **code)


def test_a_data_api_that_was_turned_off(stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
    with pytest.raises(BreakwaterError, match=r"Stack/Aurora is off.*Leave out enable_data_api=False"):
        DataApiFunction(stack, "Data", cluster=aurora(stack, vpc, enable_data_api=False), **code)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"secret": None}, r"Stack/Imported has no secret.*secret=…"),
        ({"engine": None}, r"engine of the cluster Stack/Imported is unknown\. Import it with engine=…"),
        (
            {"engine": rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17)},
            r"Stack/Imported is a cluster of postgres, which has no Data API",
        ),
    ],
)
def test_an_import_that_lacks_something(
    stack: cdk.Stack, code: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(BreakwaterError, match=message):
        DataApiFunction(stack, "Data", cluster=imported(stack, data_api_enabled=True, **options), **code)


def test_an_instance_has_none(stack: cdk.Stack, database: rds.DatabaseInstance, code: dict[str, Any]) -> None:
    with pytest.raises(BreakwaterError, match=r"Stack/Data: cluster is a DatabaseInstance, which has no Data API"):
        DataApiFunction(stack, "Data", cluster=database, **code)


def test_a_vpc_is_refused(stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
    options: dict[str, Any] = {"vpc": vpc}
    with pytest.raises(BreakwaterError, match=r"Stack/Data: vpc is given\. The Data API is called over HTTPS"):
        DataApiFunction(stack, "Data", cluster=aurora(stack, vpc), **options, **code)
