"""A public database: TLS enforced by the server's parameter, the security group opened for a stated reason only."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk.assertions import Annotations, Match, Template

from cdk_breakwater import BreakwaterError, Downstream, PublicSslDatabaseFunction
from tests.unit.databases import POSTGRESQL, imported_instance

MYSQL = rds.DatabaseInstanceEngine.mysql(version=rds.MysqlEngineVersion.VER_8_4_5)
MARIADB = rds.DatabaseInstanceEngine.maria_db(version=rds.MariaDbEngineVersion.VER_10_11_11)
SQL_SERVER = rds.DatabaseInstanceEngine.sql_server_ex(version=rds.SqlServerEngineVersion.VER_16)
REASON = "a partner reads it until 2027"


def public_database(
    vpc: ec2.Vpc, engine: rds.IInstanceEngine = POSTGRESQL, id: str = "Database", **options: Any
) -> rds.DatabaseInstance:
    return rds.DatabaseInstance(
        cdk.Stack.of(vpc),
        id,
        engine=engine,
        vpc=vpc,
        **{
            "vpc_subnets": ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
            "parameters": {"max_connections": "112"},
            "publicly_accessible": True,
            **options,
        },
    )


@pytest.mark.parametrize(
    ("engine", "parameter"),
    [
        (POSTGRESQL, "rds.force_ssl"),
        (MYSQL, "require_secure_transport"),
        (MARIADB, "require_secure_transport"),
        (SQL_SERVER, "rds.force_ssl"),
    ],
)
@pytest.mark.parametrize("parameters", [None, {"max_connections": "112"}])
def test_the_server_enforces_tls(
    stack: cdk.Stack,
    vpc: ec2.Vpc,
    code: dict[str, Any],
    engine: rds.IInstanceEngine,
    parameter: str,
    parameters: dict[str, str] | None,
) -> None:
    database = public_database(vpc, engine, parameters=parameters)
    code["runtime"] = lambda_.Runtime.NODEJS_22_X  # the runtime in Python does not speak SQL Server's protocol
    PublicSslDatabaseFunction(stack, "Fn", database=database, concurrency=5, **code)
    template = Template.from_stack(stack)
    ((group_id, group),) = template.find_resources("AWS::RDS::DBParameterGroup").items()
    assert group["Properties"]["Parameters"] == {**(parameters or {}), parameter: "1"}
    template.has_resource_properties("AWS::RDS::DBInstance", {"DBParameterGroupName": {"Ref": group_id}})


def test_two_functions_one_parameter(stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
    database = public_database(vpc, parameters=None)
    for name in ("One", "Two"):
        PublicSslDatabaseFunction(stack, name, database=database, **code)
    Template.from_stack(stack).resource_count_is("AWS::RDS::DBParameterGroup", 1)


@pytest.mark.parametrize("parameter_group", [True, False])
def test_a_cluster_enforces_it_in_the_clusters_group(
    stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any], parameter_group: bool
) -> None:
    engine = rds.DatabaseClusterEngine.aurora_mysql(version=rds.AuroraMysqlEngineVersion.VER_3_08_0)
    group = rds.ParameterGroup(stack, "Group", engine=engine, parameters={"max_connections": "500"})
    cluster = rds.DatabaseCluster(
        stack,
        "Cluster",
        engine=engine,
        vpc=vpc,
        vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC),
        parameter_group=group if parameter_group else None,
        writer=rds.ClusterInstance.provisioned(
            "writer", instance_type=ec2.InstanceType("r6g.large"), publicly_accessible=True
        ),
    )
    PublicSslDatabaseFunction(stack, "Fn", database=cluster, **code)
    Template.from_stack(stack).has_resource_properties(
        "AWS::RDS::DBClusterParameterGroup", {"Parameters": Match.object_like({"require_secure_transport": "1"})}
    )


def test_an_l1_parameter_group_keeps_its_other_parameters(stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
    group = rds.CfnDBParameterGroup(
        stack, "Group", description="tuned", family="postgres17", parameters={"max_connections": "112"}
    )
    database = public_database(vpc, parameters=None)
    database.node.default_child.db_parameter_group_name = group.ref  # pyrefly: ignore[missing-attribute]
    PublicSslDatabaseFunction(stack, "Fn", database=database, **code)
    Template.from_stack(stack).has_resource_properties(
        "AWS::RDS::DBParameterGroup", {"Parameters": {"max_connections": "112", "rds.force_ssl": "1"}}
    )


def test_the_client_verifies_with_the_roots_of_rds(stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
    PublicSslDatabaseFunction(stack, "Fn", database=public_database(vpc), **code)
    template = Template.from_stack(stack)
    template.has_resource_properties(
        "AWS::Lambda::Function",
        {
            "Environment": {"Variables": Match.object_like({"BREAKWATER_TLS_CA": "bundled"})},
            "VpcConfig": Match.absent(),
            "ReservedConcurrentExecutions": 80,
        },
    )


class TestSecurityGroup:
    def test_is_opened_with_a_reason(self, stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
        database = public_database(vpc)
        PublicSslDatabaseFunction(stack, "Fn", database=database, acknowledge_public_access=REASON, **code)
        Template.from_stack(stack).has_resource_properties(
            "AWS::EC2::SecurityGroup",
            {"SecurityGroupIngress": [Match.object_like({"CidrIp": "0.0.0.0/0", "FromPort": 5432, "ToPort": 5432})]},
        )
        reasons = [str(entry.data) for entry in database.node.metadata]
        assert any(REASON in reason for reason in reasons)

    def test_stays_closed_without(self, stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
        PublicSslDatabaseFunction(stack, "Fn", database=public_database(vpc), **code)
        template = Template.from_stack(stack)
        template.resource_count_is("AWS::EC2::SecurityGroupIngress", 0)
        for group in template.find_resources("AWS::EC2::SecurityGroup").values():
            assert "SecurityGroupIngress" not in group["Properties"]
        Annotations.from_stack(stack).has_warning(
            "/Stack/Fn", Match.string_like_regexp("acknowledge_public_access is not given, so nothing opens Stack/")
        )

    def test_wants_a_reason_that_says_something(self, stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
        with pytest.raises(BreakwaterError, match=r"Stack/Fn: acknowledge_public_access is empty"):
            PublicSslDatabaseFunction(stack, "Fn", database=public_database(vpc), acknowledge_public_access=" ", **code)


class TestAllowedCidrs:
    def test_narrow_the_opening(self, stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
        address = ec2.CfnEIP(stack, "Nat")
        blocks = ["203.0.113.0/24", "2001:db8::/32", f"{address.ref}/32"]
        PublicSslDatabaseFunction(
            stack,
            "Fn",
            database=public_database(vpc),
            acknowledge_public_access=REASON,
            allowed_cidrs=blocks,
            **code,
        )
        template = Template.from_stack(stack)
        template.has_resource_properties(
            "AWS::EC2::SecurityGroup",
            {
                "SecurityGroupIngress": [
                    Match.object_like({"CidrIp": "203.0.113.0/24", "FromPort": 5432, "ToPort": 5432}),
                    Match.object_like({"CidrIpv6": "2001:db8::/32"}),
                    Match.object_like({"CidrIp": {"Fn::Join": ["", [{"Ref": "Nat"}, "/32"]]}}),
                ]
            },
        )
        assert "0.0.0.0/0" not in str(template.find_resources("AWS::EC2::SecurityGroupIngress"))
        Annotations.from_stack(stack).has_info("/Stack/Fn", Match.string_like_regexp("no IP address of its own"))

    @pytest.mark.parametrize(
        ("blocks", "message"),
        [
            ([], r"is \[\]\. Give a list of blocks"),
            ("203.0.113.0/24", r"is '203\.0\.113\.0/24'\. Give a list"),
            (["203.0.113.7/24"], r"has '203\.0\.113\.7/24', which is not a CIDR block \(.*host bits set\)"),
            (["partner"], "has 'partner', which is not a CIDR block"),
            (["203.0.113.7"], r"has '203\.0\.113\.7', an address\. Write it as '203\.0\.113\.7/32'"),
            (["0.0.0.0/0"], r"has '0\.0\.0\.0/0', which is every address\. Leave allowed_cidrs out"),
            (["::/0"], "has '::/0', which is every address"),
        ],
    )
    def test_that_are_none(
        self, stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any], blocks: Any, message: str
    ) -> None:
        with pytest.raises(BreakwaterError, match=f"Stack/Fn: allowed_cidrs {message}"):
            PublicSslDatabaseFunction(
                stack,
                "Fn",
                database=public_database(vpc),
                acknowledge_public_access=REASON,
                allowed_cidrs=blocks,
                **code,
            )

    def test_want_a_reason(self, stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
        with pytest.raises(BreakwaterError, match=r"is given without acknowledge_public_access\. Give the"):
            PublicSslDatabaseFunction(
                stack, "Fn", database=public_database(vpc), allowed_cidrs=["203.0.113.0/24"], **code
            )


class TestErrors:
    def test_a_region_without_a_bundle(self, app: cdk.App, code: dict[str, Any]) -> None:
        stack = cdk.Stack(app, "Stack", env=cdk.Environment(account="123456789012", region="il-central-1"))
        database = public_database(ec2.Vpc(stack, "Vpc", max_azs=2))
        with pytest.raises(
            BreakwaterError, match=r"RDS in il-central-1 are not part of.*Downstream\.of\(database, cert"
        ):
            PublicSslDatabaseFunction(stack, "Fn", database=database, **code)

    def test_a_region_with_a_bundle_of_ones_own(self, app: cdk.App, code: dict[str, Any], tmp_path: Any) -> None:
        pem = tmp_path / "bundle.pem"
        pem.write_text("-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n", encoding="ascii")
        stack = cdk.Stack(app, "Stack", env=cdk.Environment(account="123456789012", region="il-central-1"))
        database = public_database(ec2.Vpc(stack, "Vpc", max_azs=2))
        downstream = Downstream.of(database, certificate_authority=str(pem))
        PublicSslDatabaseFunction(stack, "Fn", database=downstream, **code)
        Template.from_stack(stack).has_resource_properties(
            "AWS::RDS::DBParameterGroup", {"Parameters": {"max_connections": "112", "rds.force_ssl": "1"}}
        )

    def test_a_private_database(self, stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
        database = public_database(vpc, publicly_accessible=False)
        with pytest.raises(BreakwaterError, match=r"Stack/Database/Resource is not publicly accessible.*VpcDatabaseF"):
            PublicSslDatabaseFunction(stack, "Fn", database=database, **code)

    def test_a_parameter_group_that_turns_it_off(self, stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
        database = public_database(vpc, parameters={"rds.force_ssl": "0", "max_connections": "112"})
        with pytest.raises(BreakwaterError, match=r"it sets rds\.force_ssl=0, and a public database must enforce TLS"):
            PublicSslDatabaseFunction(stack, "Fn", database=database, **code)

    def test_a_parameter_group_of_somebody_else(self, stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
        group = rds.ParameterGroup.from_parameter_group_name(stack, "Group", "tuned")
        database = public_database(vpc, parameters=None, parameter_group=group)
        with pytest.raises(BreakwaterError, match=r"its parameter group tuned is not part of this app.*endpoint"):
            PublicSslDatabaseFunction(stack, "Fn", database=database, **code)

    def test_an_engine_that_cannot(self, stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
        engine = rds.DatabaseInstanceEngine.mysql(version=rds.MysqlEngineVersion.of("5.6.51", "5.6"))
        database = public_database(vpc, engine, parameters=None)
        with pytest.raises(BreakwaterError, match=r"mysql 5\.6\.51 has no parameter that enforces TLS"):
            PublicSslDatabaseFunction(stack, "Fn", database=database, **code)

    def test_oracle(self, stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
        engine = rds.DatabaseInstanceEngine.oracle_se2(version=rds.OracleEngineVersion.VER_19)
        database = public_database(vpc, engine, parameters=None, license_model=rds.LicenseModel.LICENSE_INCLUDED)
        code["runtime"] = lambda_.Runtime.NODEJS_22_X
        with pytest.raises(BreakwaterError, match=r"oracle 19 has no parameter that enforces TLS.*Use VpcDatabaseFunc"):
            PublicSslDatabaseFunction(stack, "Fn", database=database, **code)

    def test_an_imported_database(self, stack: cdk.Stack, code: dict[str, Any]) -> None:
        database = imported_instance(stack)
        from aws_cdk import aws_secretsmanager as secretsmanager

        from cdk_breakwater import DatabaseCredentials

        credentials = DatabaseCredentials.secret(secretsmanager.Secret(stack, "Secret"))
        with pytest.raises(BreakwaterError, match=r"Stack/Imported: it is imported.*Set rds\.force_ssl=1"):
            PublicSslDatabaseFunction(stack, "Fn", database=database, credentials=credentials, **code)


class TestSeveralDatabases:
    @pytest.fixture
    def stock(self, stack: cdk.Stack, vpc: ec2.Vpc) -> rds.DatabaseInstance:
        """45 connections, 5 of them reserved: 40 usable, 32 shared."""
        return public_database(vpc, MARIADB, id="Stock", parameters={"max_connections": "45"})

    def test_tls_is_enforced_in_each(
        self, stack: cdk.Stack, vpc: ec2.Vpc, stock: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        function = PublicSslDatabaseFunction(stack, "Fn", database=public_database(vpc), **code)
        share = function.add_database(
            "stock", database=stock, acknowledge_public_access=REASON, allowed_cidrs=["203.0.113.0/24"]
        )
        template = Template.from_stack(stack)
        groups = template.find_resources("AWS::RDS::DBParameterGroup").values()
        assert [group["Properties"]["Parameters"] for group in groups] == [
            {"max_connections": "45", "require_secure_transport": "1"},
            {"max_connections": "112", "rds.force_ssl": "1"},
        ]
        (opened,) = (
            group["Properties"]["SecurityGroupIngress"]
            for group in template.find_resources("AWS::EC2::SecurityGroup").values()
            if "SecurityGroupIngress" in group["Properties"]
        )
        assert [(rule["CidrIp"], rule["FromPort"]) for rule in opened] == [("203.0.113.0/24", 3306)]
        (made,) = template.find_resources("AWS::Lambda::Function").values()
        variables = made["Properties"]["Environment"]["Variables"]
        assert (variables["BREAKWATER_ENGINE"], variables["BREAKWATER_STOCK_ENGINE"]) == ("postgresql", "mariadb")
        assert made["Properties"]["ReservedConcurrentExecutions"] == share.resolve() == 32

    def test_a_private_one(
        self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        function = PublicSslDatabaseFunction(stack, "Fn", database=public_database(vpc, id="Public"), **code)
        with pytest.raises(BreakwaterError, match=r"Stack/Fn: the database Stack/Database/Resource is not publicly"):
            function.add_database("stock", database=database)

    def test_one_behind_a_proxy(
        self, stack: cdk.Stack, vpc: ec2.Vpc, stock: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        function = PublicSslDatabaseFunction(stack, "Fn", database=public_database(vpc), **code)
        with pytest.raises(BreakwaterError, match=r"Stack/Fn: an RDS Proxy can be reached only from its VPC"):
            function.add_database("stock", database=Downstream.proxy(stock))

    def test_several_connections_per_environment(
        self, stack: cdk.Stack, vpc: ec2.Vpc, stock: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        function = PublicSslDatabaseFunction(
            stack, "Fn", database=public_database(vpc), connections_per_environment=2, **code
        )
        assert function.share.resolve() == 40
        function.add_database("stock", database=stock, connections_per_environment=4)
        assert function.share.resolve() == 8
