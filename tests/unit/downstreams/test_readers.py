"""Read replicas of an instance and readers of a cluster: budgets of their own, beside the writer's."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from aws_cdk.assertions import Template

from cdk_breakwater import BreakwaterError, ConnectionBudget, DatabaseCredentials, Downstream, VpcDatabaseFunction
from tests.unit.databases import POSTGRESQL, imported_instance

AURORA_MYSQL = rds.DatabaseClusterEngine.aurora_mysql(version=rds.AuroraMysqlEngineVersion.VER_3_08_0)
SMALL = ec2.InstanceType("t4g.micro")


def cluster_of(stack: cdk.Stack, vpc: ec2.IVpc, *readers: rds.IClusterInstance, **options: Any) -> rds.DatabaseCluster:
    return rds.DatabaseCluster(
        stack,
        "Cluster",
        engine=AURORA_MYSQL,
        vpc=vpc,
        writer=provisioned("Writer", "r6g.xlarge"),
        readers=list(readers),
        **options,
    )


def provisioned(id: str, instance_type: str) -> rds.IClusterInstance:
    return rds.ClusterInstance.provisioned(id, instance_type=ec2.InstanceType(instance_type))


def variables(stack: cdk.Stack) -> dict[str, dict[str, Any]]:
    functions = Template.from_stack(stack).find_resources("AWS::Lambda::Function")
    return {name[:-8]: body["Properties"]["Environment"]["Variables"] for name, body in functions.items()}


class TestReplica:
    @pytest.fixture
    def replica(
        self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance
    ) -> rds.DatabaseInstanceReadReplica:
        return rds.DatabaseInstanceReadReplica(
            stack, "Replica", source_database_instance=database, instance_type=SMALL, vpc=vpc
        )

    def test_has_a_budget_of_its_own_from_the_parameter_group_of_its_source(
        self,
        stack: cdk.Stack,
        vpc: ec2.Vpc,
        database: rds.DatabaseInstance,
        replica: rds.DatabaseInstanceReadReplica,
        code: dict[str, Any],
    ) -> None:
        VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code)
        VpcDatabaseFunction(stack, "Reports", database=replica, vpc=vpc, **code)
        budget = ConnectionBudget.of(replica)
        assert budget is not ConnectionBudget.of(database)
        assert (budget.max_connections, budget.basis) == (112, "max_connections in the parameter group")
        assert budget.reserved_connections == 12
        settings = variables(stack)["Reports"]
        assert settings["BREAKWATER_HOST"]["Fn::GetAtt"][0].startswith("Replica")
        assert settings["BREAKWATER_ENGINE"] == "postgresql"
        # The users of a replica are those of its source.
        assert settings["BREAKWATER_SECRET_ARN"] == {"Ref": "DatabaseSecretAttachmentE5D1B020"}
        Template.from_stack(stack).resource_properties_count_is(
            "AWS::Lambda::Function", {"ReservedConcurrentExecutions": 80}, 2
        )

    def test_a_parameter_group_of_its_own(self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance) -> None:
        group = rds.ParameterGroup(stack, "Group", engine=POSTGRESQL, parameters={"max_connections": "200"})
        replica = rds.DatabaseInstanceReadReplica(
            stack, "Replica", source_database_instance=database, instance_type=SMALL, vpc=vpc, parameter_group=group
        )
        assert ConnectionBudget.of(replica).max_connections == 200

    def test_its_own_size_where_nothing_is_set(self, stack: cdk.Stack, vpc: ec2.Vpc) -> None:
        source = rds.DatabaseInstance(
            stack, "Source", engine=POSTGRESQL, vpc=vpc, instance_type=ec2.InstanceType("r6g.large")
        )
        replica = rds.DatabaseInstanceReadReplica(
            stack, "Replica", source_database_instance=source, instance_type=SMALL, vpc=vpc
        )
        assert ConnectionBudget.of(replica).max_connections < 79 < ConnectionBudget.of(source).max_connections
        assert ConnectionBudget.of(replica).basis == "estimated from db.t4g.micro's memory"

    def test_in_another_stack(self, app: cdk.App, stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
        source = rds.DatabaseInstance(
            stack, "Source", engine=POSTGRESQL, vpc=vpc, parameters={"max_connections": "150"}
        )
        other = cdk.Stack(app, "Other", env=cdk.Environment(account="123456789012", region="eu-central-1"))
        replica = rds.DatabaseInstanceReadReplica(
            other, "Replica", source_database_instance=source, instance_type=SMALL, vpc=vpc
        )
        VpcDatabaseFunction(other, "Reports", database=replica, vpc=vpc, **code)
        assert ConnectionBudget.of(replica).max_connections == 150
        app.synth()

    def test_of_an_imported_instance(self, stack: cdk.Stack, vpc: ec2.Vpc) -> None:
        source = imported_instance(stack)
        replica = rds.DatabaseInstanceReadReplica(
            stack, "Replica", source_database_instance=source, instance_type=SMALL, vpc=vpc
        )
        with pytest.raises(BreakwaterError, match=r"Stack/Replica: its engine is unknown .* Downstream\.endpoint"):
            ConnectionBudget.of(replica)


class TestReaders:
    @pytest.mark.parametrize("context", [{"account_concurrency": 5000}])
    def test_the_endpoint_a_function_uses_decides(self, stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
        cluster = cluster_of(stack, vpc, provisioned("One", "r6g.2xlarge"), provisioned("Two", "r6g.large"))
        readers = Downstream.readers(cluster)
        VpcDatabaseFunction(stack, "Orders", database=cluster, vpc=vpc, **code)
        VpcDatabaseFunction(stack, "Reports", database=readers, vpc=vpc, **code)
        VpcDatabaseFunction(stack, "Search", database=Downstream.readers(cluster), vpc=vpc, **code)
        assert ConnectionBudget.of(readers) is ConnectionBudget.of(Downstream.readers(cluster))
        assert ConnectionBudget.of(readers) is not ConnectionBudget.of(cluster)
        # Each of the three may become the writer, and the reader endpoint may lead everyone to one of its two.
        assert ConnectionBudget.of(cluster).max_connections == 1000
        assert ConnectionBudget.of(readers).max_connections == 1000
        assert ConnectionBudget.of(readers).basis == (
            "the smallest of 2 readers: Aurora MySQL's table for db.r6g.large"
        )
        hosts = {name: settings["BREAKWATER_HOST"]["Fn::GetAtt"][1] for name, settings in variables(stack).items()}
        assert hosts == {
            "Orders": "Endpoint.Address",
            "Reports": "ReadEndpoint.Address",
            "Search": "ReadEndpoint.Address",
        }
        assert [share.resolve() for share in ConnectionBudget.of(readers).shares] == [398, 398]

    def test_serverless_readers(self, stack: cdk.Stack, vpc: ec2.Vpc) -> None:
        cluster = cluster_of(
            stack,
            vpc,
            rds.ClusterInstance.serverless_v2("One"),
            serverless_v2_min_capacity=1,
            serverless_v2_max_capacity=4,
        )
        budget = ConnectionBudget.of(Downstream.readers(cluster))
        assert (budget.max_connections, budget.basis) == (135, "Aurora's table for a maximum of 4 ACU")

    def test_numbers_of_their_own(self, stack: cdk.Stack, vpc: ec2.Vpc) -> None:
        cluster = cluster_of(stack, vpc, provisioned("One", "r6g.large"))
        budget = ConnectionBudget.of(Downstream.readers(cluster), external_connections=100, utilization=0.5)
        assert budget.shared_connections == (1000 - 5 - 100) // 2
        assert ConnectionBudget.of(cluster).external_connections == 0

    def test_a_cluster_without_readers(self, stack: cdk.Stack, vpc: ec2.Vpc) -> None:
        cluster = cluster_of(stack, vpc)
        with pytest.raises(
            BreakwaterError, match=r"Stack/Cluster: it has no reader, .* leads to the writer\. Add readers"
        ):
            Downstream.readers(cluster)

    def test_an_instance(self, database: rds.DatabaseInstance) -> None:
        with pytest.raises(
            BreakwaterError, match=r"Stack/Database: DatabaseInstance has no readers\. Pass a read replica"
        ):
            Downstream.readers(database)

    def test_an_imported_cluster(self, app: cdk.App, stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
        attributes: dict[str, Any] = {"cluster_identifier": "shop", "engine": AURORA_MYSQL, "port": 3306}
        unknown = rds.DatabaseCluster.from_database_cluster_attributes(
            stack, "Unknown", cluster_endpoint_address="shop.example.net", **attributes
        )
        with pytest.raises(BreakwaterError, match=r"Stack/Unknown: its reader endpoint is not known\. Import it with"):
            Downstream.readers(unknown)
        known = rds.DatabaseCluster.from_database_cluster_attributes(
            stack,
            "Known",
            reader_endpoint_address="readers.example.net",
            cluster_resource_identifier="cluster-1",
            security_groups=[],
            **attributes,
        )
        readers = Downstream.readers(known)
        VpcDatabaseFunction(
            stack, "Reports", database=readers, vpc=vpc, credentials=DatabaseCredentials.iam("reports"),
            environment={"BREAKWATER_DATABASE": "shop"}, **code,
        )  # fmt: skip
        with pytest.raises(
            RuntimeError,
            match=r"Known/ReaderConnectionBudget\] it is imported.*ConnectionBudget\.of\(database, max_conn",
        ):
            app.synth()
