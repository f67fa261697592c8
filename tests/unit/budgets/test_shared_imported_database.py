"""One server has one budget and its real number, however it is described and whoever else connects to it."""

from __future__ import annotations

import gc
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_ssm as ssm
from aws_cdk.assertions import Annotations, Match, Template

from cdk_breakwater import (
    BreakwaterError,
    ConnectionBudget,
    DatabaseCredentials,
    DatabaseEngine,
    Downstream,
    VpcDatabaseFunction,
)

AURORA = rds.DatabaseClusterEngine.aurora_mysql(version=rds.AuroraMysqlEngineVersion.VER_3_08_0)


def endpoint(stack: cdk.Stack, id: str, host: str, max_connections: int = 112) -> Downstream:
    return Downstream.endpoint(stack, id, host=host, engine=DatabaseEngine.POSTGRESQL, max_connections=max_connections)


def read_host(stack: cdk.Stack, kind: str, name: str = "/shop/host") -> str:
    if kind == "export":
        return cdk.Fn.import_value(name)
    if kind == "parameter":
        return ssm.StringParameter.value_for_string_parameter(stack, name)
    if kind == "dynamic":
        return cdk.CfnDynamicReference(cdk.CfnDynamicReferenceService.SSM, name).to_string()
    return cdk.SecretValue.secrets_manager(name, json_field="host").unsafe_unwrap()


class TestIdentity:
    @pytest.mark.parametrize("host", ["DB.Example.net", "db.example.net.", "db.EXAMPLE.net."])
    def test_names_are_the_same_in_any_case_and_with_a_final_dot(self, stack: cdk.Stack, host: str) -> None:
        budget = ConnectionBudget.of(endpoint(stack, "One", "db.example.net"))
        assert ConnectionBudget.of(endpoint(stack, "Two", host)) is budget

    def test_stacks_of_an_app_whose_own_object_is_gone_share_one_budget(self) -> None:
        app = cdk.App()
        one, two = cdk.Stack(app, "One"), cdk.Stack(app, "Two")
        del app
        gc.collect()
        budget = ConnectionBudget.of(endpoint(one, "Database", "db.example.net"))
        assert ConnectionBudget.of(endpoint(two, "Database", "db.example.net")) is budget

    @pytest.mark.parametrize("kind", ["export", "parameter", "dynamic", "secret"])
    def test_a_host_that_two_stacks_read_from_one_place_is_one_host(self, app: cdk.App, kind: str) -> None:
        """It was two budgets: 80 + 80 of 80."""
        one, two = (cdk.Stack(app, name) for name in ("One", "Two"))
        budget = ConnectionBudget.of(endpoint(one, "Database", read_host(one, kind)))
        assert ConnectionBudget.of(endpoint(two, "Database", read_host(two, kind))) is budget
        assert ConnectionBudget.of(endpoint(two, "Other", read_host(two, kind, "/other"))) is not budget

    def test_a_parameter_is_one_however_it_is_read(self, stack: cdk.Stack) -> None:
        budget = ConnectionBudget.of(endpoint(stack, "One", read_host(stack, "parameter")))
        assert ConnectionBudget.of(endpoint(stack, "Two", read_host(stack, "dynamic"))) is budget

    def test_in_two_environments_one_name_is_two_hosts(self, app: cdk.App) -> None:
        stacks = [
            cdk.Stack(app, region, env=cdk.Environment(account="123456789012", region=region))
            for region in ("eu-central-1", "eu-west-1")
        ]
        stacks += [cdk.Stack(cdk.Stage(app, stage), "Shop") for stage in ("Test", "Production")]
        budgets = {ConnectionBudget.of(endpoint(stack, "Database", read_host(stack, "export"))) for stack in stacks}
        assert len(budgets) == len(stacks)

    def test_what_a_stacks_own_template_says_is_its_own(self, app: cdk.App) -> None:
        stacks = [cdk.Stack(app, name) for name in ("One", "Two")]
        hosts = [cdk.CfnParameter(stack, "Host").value_as_string for stack in stacks]
        one, two = (
            ConnectionBudget.of(endpoint(stack, "Database", host)) for stack, host in zip(stacks, hosts, strict=True)
        )
        assert one is not two

    def test_apps_do_not(self) -> None:
        one, two = (ConnectionBudget.of(endpoint(cdk.Stack(), "Database", "db.example.net")) for _ in range(2))
        assert one is not two

    def test_two_numbers_for_one_host_are_refused(self, stack: cdk.Stack) -> None:
        ConnectionBudget.of(endpoint(stack, "One", "db.example.net"))
        with pytest.raises(
            BreakwaterError,
            match=r"^Stack/Two: max_connections=50 is given, and Stack/One, which is the same server .*, has 112",
        ):
            ConnectionBudget.of(endpoint(stack, "Two", "db.example.net", 50))

    def test_the_same_number_a_second_time_is_no_error(self, database: rds.DatabaseInstance) -> None:
        budget = ConnectionBudget.of(database, max_connections=100, utilization=0.5)
        budget.share("worker")
        assert ConnectionBudget.of(database, max_connections=100, utilization=0.5, external_connections=0) is budget
        with pytest.raises(BreakwaterError, match="max_connections given after the first share"):
            ConnectionBudget.of(database, max_connections=101)


class TestNumberBesideTheTemplates:
    def test_above_the_parameter_group_is_refused(self, app: cdk.App, database: rds.DatabaseInstance) -> None:
        ConnectionBudget.of(database, max_connections=500).share("worker")
        with pytest.raises(RuntimeError, match=r"max_connections=500 is given, and the template sets 112"):
            app.synth()

    def test_below_it_is_not(self, app: cdk.App, database: rds.DatabaseInstance) -> None:
        ConnectionBudget.of(database, max_connections=100).share("worker")
        app.synth()


def proxy_before(database: rds.DatabaseInstance, vpc: ec2.Vpc, **options: Any) -> rds.DatabaseProxy:
    assert database.secret is not None
    return rds.DatabaseProxy(
        cdk.Stack.of(database),
        "Proxy",
        proxy_target=rds.ProxyTarget.from_instance(database),
        secrets=[database.secret],
        vpc=vpc,
        **options,
    )


class TestProxyOfTheAppsOwn:
    def test_its_pool_is_left_to_it(
        self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        proxy_before(database, vpc, max_connections_percent=50)
        VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code)
        # (112 - 12 - 56) x 0.8
        Template.from_stack(stack).has_resource_properties(
            "AWS::Lambda::Function", {"ReservedConcurrentExecutions": 35}
        )

    def test_one_that_leaves_nothing_fails_the_synth(
        self, app: cdk.App, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        proxy_before(database, vpc)
        VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code)
        with pytest.raises(RuntimeError, match=r"RDS Proxies \(Stack/Proxy 100 %\) is 100 % together, 112 of 112"):
            app.synth()

    def test_looking_at_a_budget_changes_nothing(
        self, app: cdk.App, vpc: ec2.Vpc, database: rds.DatabaseInstance
    ) -> None:
        proxy_before(database, vpc)
        assert ConnectionBudget.of(database).max_connections == 112
        app.synth()

    def test_a_percentage_that_is_given_is_set(
        self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance
    ) -> None:
        Downstream.proxy(database, proxy_before(database, vpc), max_connections_percent=70)
        Template.from_stack(stack).has_resource_properties(
            "AWS::RDS::DBProxyTargetGroup", {"ConnectionPoolConfigurationInfo": {"MaxConnectionsPercent": 70}}
        )

    def test_but_not_over_another(self, vpc: ec2.Vpc, database: rds.DatabaseInstance) -> None:
        proxy = proxy_before(database, vpc, max_connections_percent=40)
        with pytest.raises(BreakwaterError, match="max_connections_percent=70 is given, and the proxy says 40"):
            Downstream.proxy(database, proxy, max_connections_percent=70)


class TestReadersBesideAProxy:
    """Each has 1,000 connections, of which Aurora keeps 5."""

    @pytest.fixture
    def cluster(self, stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> rds.DatabaseCluster:
        cluster = rds.DatabaseCluster(
            stack,
            "Cluster",
            engine=AURORA,
            vpc=vpc,
            writer=rds.ClusterInstance.provisioned("Writer", instance_type=ec2.InstanceType("r6g.large")),
            readers=[rds.ClusterInstance.provisioned("Reader", instance_type=ec2.InstanceType("r6g.large"))],
        )
        VpcDatabaseFunction(stack, "Search", database=Downstream.readers(cluster), vpc=vpc, **code)
        return cluster

    def usable(self, cluster: rds.DatabaseCluster) -> int:
        return ConnectionBudget.of(Downstream.readers(cluster)).usable_connections

    def test_the_writers_proxy_holds_nothing_on_the_readers(
        self, stack: cdk.Stack, vpc: ec2.Vpc, cluster: rds.DatabaseCluster, code: dict[str, Any]
    ) -> None:
        VpcDatabaseFunction(stack, "Orders", database=cluster, vpc=vpc, proxy=True, **code)
        assert self.usable(cluster) == 995

    @pytest.mark.parametrize(
        ("role", "name", "usable"),
        [
            (None, None, 995),
            ("READ_WRITE", None, 995),
            ("READ_ONLY", None, 595),
            ("READ_ONLY", "of-another", 595),
        ],
    )
    def test_a_proxy_with_a_read_only_endpoint_does(
        self,
        stack: cdk.Stack,
        vpc: ec2.Vpc,
        cluster: rds.DatabaseCluster,
        role: str | None,
        name: str | None,
        usable: int,
    ) -> None:
        """A proxy that the endpoint knows by its name may be the same one."""
        assert cluster.secret is not None
        proxy = rds.DatabaseProxy(
            stack,
            "Proxy",
            proxy_target=rds.ProxyTarget.from_cluster(cluster),
            secrets=[cluster.secret],
            vpc=vpc,
            max_connections_percent=40,
        )
        rds.CfnDBProxyEndpoint(
            stack,
            "Endpoint",
            db_proxy_name=name or proxy.db_proxy_name,
            db_proxy_endpoint_name="more",
            target_role=role,
            vpc_subnet_ids=[subnet.subnet_id for subnet in vpc.private_subnets],
        )
        assert self.usable(cluster) == usable

    def test_the_endpoint_of_another_proxy_does_not_count(
        self,
        stack: cdk.Stack,
        vpc: ec2.Vpc,
        cluster: rds.DatabaseCluster,
        database: rds.DatabaseInstance,
        code: dict[str, Any],
    ) -> None:
        VpcDatabaseFunction(stack, "Orders", database=cluster, vpc=vpc, proxy=True, **code)
        rds.CfnDBProxyEndpoint(
            stack,
            "Endpoint",
            db_proxy_name=proxy_before(database, vpc).db_proxy_name,
            db_proxy_endpoint_name="more",
            target_role="READ_ONLY",
            vpc_subnet_ids=[subnet.subnet_id for subnet in vpc.private_subnets],
        )
        assert self.usable(cluster) == 995


@pytest.mark.parametrize(("readers", "warns"), [(1, True), (2, False)])
def test_a_single_reader_and_the_writer_are_one_server_after_a_failover(
    stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any], readers: int, warns: bool
) -> None:
    instance = ec2.InstanceType("t4g.medium")
    cluster = rds.DatabaseCluster(
        stack,
        "Cluster",
        engine=AURORA,
        vpc=vpc,
        writer=rds.ClusterInstance.provisioned("Writer", instance_type=instance),
        readers=[rds.ClusterInstance.provisioned(f"R{number}", instance_type=instance) for number in range(readers)],
        storage_encrypted=True,
    )
    VpcDatabaseFunction(stack, "Orders", database=cluster, vpc=vpc, **code)
    VpcDatabaseFunction(stack, "Search", database=Downstream.readers(cluster), vpc=vpc, **code)
    found = Annotations.from_stack(stack).find_warning("*", Match.string_like_regexp("has a single reader"))
    assert bool(found) is warns


def test_an_imported_clusters_readers_may_be_a_single_one(stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
    cluster = rds.DatabaseCluster.from_database_cluster_attributes(
        stack,
        "Cluster",
        cluster_identifier="shop",
        cluster_endpoint_address="shop.cluster-1.example.net",
        reader_endpoint_address="shop.cluster-ro-1.example.net",
        engine=AURORA,
        port=3306,
        security_groups=[],
    )
    for downstream in (Downstream.of(cluster), Downstream.readers(cluster)):
        ConnectionBudget.of(downstream, max_connections=112).share("worker")
    Annotations.from_stack(stack).has_warning("*", Match.string_like_regexp("imported, and may have a single reader"))


def test_the_order_of_lines_moves_no_share() -> None:
    names = ["Zebra", "Ant", "Mole", "Bee", "Cat", "Dog", "Eel"]
    found = []
    for first in range(len(names)):
        stack = cdk.Stack(cdk.App(), "Stack")
        budget = ConnectionBudget(stack, "Budget", max_connections=80, utilization=1)
        shuffled = names[first:] + names[:first]
        shares = {name: budget.share(name) for name in shuffled}
        found.append({name: shares[name].resolve() for name in sorted(names)})
    assert sum(found[0].values()) == 80
    assert all(each == found[0] for each in found)


class TestConnectionsPerEnvironment:
    def test_assumed_or_stated(self, stack: cdk.Stack, code: dict[str, Any]) -> None:
        budget = ConnectionBudget(stack, "Budget", max_connections=100, utilization=1)
        assumed = budget.share("assumed")
        stated = budget.share("stated", connections_per_environment=5)
        assumed.limit(lambda_.Function(stack, "Assumed", **code), overlap=False)
        stated.limit(lambda_.Function(stack, "Stated", **code), overlap=False)
        assert (assumed.resolve(), stated.resolve()) == (50, 10)
        assert "1 connection each (assumed)" in assumed.reason
        assert "5 connections each" in stated.reason
        assert [share.description()["assumed"] for share in budget.shares] == [True, False]


class TestWithoutTheRuntime:
    def test_counts_twice_and_says_so(
        self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        java = {**code, "runtime": lambda_.Runtime.JAVA_21, "code": lambda_.Code.from_bucket_v2(bucket(stack), "jar")}
        function = VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **java)
        assert function.share.resolve() == 40
        assert "twice" in function.share.reason
        Annotations.from_stack(stack).has_info(
            "/Stack/Orders", Match.string_like_regexp("breakwater_runtime is not part of a function of java21")
        )

    def test_counts_once_where_it_closes_its_connections(
        self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        java = {**code, "runtime": lambda_.Runtime.JAVA_21, "code": lambda_.Code.from_bucket_v2(bucket(stack), "jar")}
        function = VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, overlap=False, **java)
        assert function.share.resolve() == 80

    def test_a_handler_that_was_not_moved_keeps_its_share(
        self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        limited = ConnectionBudget(stack, "Budget", max_connections=100, utilization=0.8).share("before")
        limited.limit(lambda_.Function(stack, "Before", **code))
        after = VpcDatabaseFunction(stack, "After", database=database, vpc=vpc, overlap=True, **code)
        assert limited.resolve() == after.share.resolve() == 40

    @pytest.mark.parametrize("version", ["oracle-se2", "sqlserver-ex"])
    def test_engines_that_it_does_not_speak_are_refused(
        self, stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any], version: str
    ) -> None:
        engine = {
            "oracle-se2": rds.DatabaseInstanceEngine.oracle_se2(version=rds.OracleEngineVersion.VER_19),
            "sqlserver-ex": rds.DatabaseInstanceEngine.sql_server_ex(version=rds.SqlServerEngineVersion.VER_16),
        }[version]
        database = rds.DatabaseInstance(
            stack,
            "Old",
            engine=engine,
            vpc=vpc,
            instance_type=ec2.InstanceType("m5.large"),
            license_model=rds.LicenseModel.LICENSE_INCLUDED,
        )
        with pytest.raises(BreakwaterError, match=r"^Stack/Orders: breakwater_runtime does not speak the protocol of"):
            VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code)


def test_a_pooler_lends_by_the_transaction(stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
    pooler = Downstream.endpoint(
        stack, "Pooler", host="pool.example.net", engine=DatabaseEngine.POSTGRESQL, max_connections=100, pooler=True
    )
    login = DatabaseCredentials.secret(secretsmanager.Secret(stack, "Login"))
    VpcDatabaseFunction(stack, "Orders", database=pooler, vpc=vpc, credentials=login, **code)
    # Its own limit, of which no server keeps a part; and nothing is SET.
    Template.from_stack(stack).has_resource_properties(
        "AWS::Lambda::Function",
        {"ReservedConcurrentExecutions": 80, "Environment": {"Variables": {"BREAKWATER_PROXY": "1"}}},
    )


def bucket(stack: cdk.Stack) -> Any:
    from aws_cdk import aws_s3 as s3

    return s3.Bucket.from_bucket_name(stack, "Code", "code")
