"""A server's connections against max_connections and against what was planned."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_docdb as docdb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticache as elasticache
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Template

from cdk_breakwater import (
    BreakwaterError,
    ConnectionBudget,
    DatabaseEngine,
    Downstream,
    VpcDatabaseFunction,
    breakwater_dashboard,
)
from cdk_breakwater.budgets import alarms as budget_alarms

from .documented_metrics import DOCUMENTED
from .templates import alarms, bodies, limits, metrics_of_alarm, metrics_of_graph, widgets


def limited(scope: cdk.Stack, budget: ConnectionBudget, name: str, code: dict[str, Any]) -> lambda_.Function:
    function = lambda_.Function(scope, name, **code)
    budget.share(name).limit(function, overlap=False)
    return function


def test_thresholds_are_the_budgets_numbers(
    stack: cdk.Stack, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    # (112 - 12 reserved - 20 external) x 0.8 = 64
    budget = ConnectionBudget.of(database, external_connections=20)
    limited(stack, budget, "Worker", code)
    budget.alarms()
    cloudwatch.Dashboard(stack, "Dashboard").add_widgets(*budget.widgets())
    found = alarms(stack)
    planned = found["Database/ConnectionBudget/Alarms/Connections"]
    assert planned["Threshold"] == 64 + 20
    assert (planned["ComparisonOperator"], planned["EvaluationPeriods"]) == ("GreaterThanThreshold", 15)
    assert metrics_of_alarm(planned) == {("AWS/RDS", "DatabaseConnections", ("DBInstanceIdentifier",))}
    full = found["Database/ConnectionBudget/Alarms/Exhausted"]
    assert full["Threshold"] == 112 - 12
    assert (full["ComparisonOperator"], full["EvaluationPeriods"]) == ("GreaterThanOrEqualToThreshold", 1)
    assert full["Metrics"][0]["MetricStat"]["Stat"] == "Maximum"
    shown = widgets(bodies(stack)[0])
    assert limits(shown["Stack/Database: connections"]) == {
        "max_connections": 112,
        "planned": 84,
    }
    shares = shown["Stack/Database: concurrency, % of each share"]
    assert shares["metrics"][0][0]["label"] == "Worker (64)"
    assert shares["metrics"][0][0]["expression"] == "100 * s0 / 64"


def test_the_servers_count_stands_beside_what_is_said_of_each_environment(
    stack: cdk.Stack, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    budget = ConnectionBudget.of(database)
    limited(stack, budget, "Assumed", code)
    pooled = lambda_.Function(stack, "Pooled", **code)
    budget.share("Pooled", connections_per_environment=5).limit(pooled, overlap=False)
    cloudwatch.Dashboard(stack, "Dashboard").add_widgets(*budget.widgets())
    metrics = widgets(bodies(stack)[0])["Stack/Database: connections"]["metrics"]
    assert [metric for metric in metrics if metric[0] == "AWS/RDS"]
    assert "FILL(f0, 0) * 1 + FILL(f1, 0) * 5" in [m[0]["expression"] for m in metrics if "expression" in m[0]]


def test_of_many_functions_too(stack: cdk.Stack, database: rds.DatabaseInstance, code: dict[str, Any]) -> None:
    """An alarm takes ten metrics, a graph takes more."""
    budget = ConnectionBudget.of(database)
    for number in range(12):
        limited(stack, budget, f"Worker{number}", code)
    cloudwatch.Dashboard(stack, "Dashboard").add_widgets(*budget.widgets())
    metrics = widgets(bodies(stack)[0])["Stack/Database: connections"]["metrics"]
    (expression,) = [metric[0]["expression"] for metric in metrics if "expression" in metric[0]]
    assert expression == " + ".join(f"FILL(f{number}, 0) * 1" for number in range(12))


def test_what_an_aspect_changes_still_counts(stack: cdk.Stack, database: rds.DatabaseInstance) -> None:
    budget = ConnectionBudget.of(database)
    budget.alarms()
    ConnectionBudget.of(database, max_connections=92)
    found = alarms(stack)
    assert found["Database/ConnectionBudget/Alarms/Exhausted"]["Threshold"] == 80
    assert found["Database/ConnectionBudget/Alarms/Connections"]["Threshold"] == 64


def test_writer_and_readers_are_told_apart(stack: cdk.Stack, vpc: ec2.Vpc) -> None:
    cluster = rds.DatabaseCluster(
        stack,
        "Aurora",
        engine=rds.DatabaseClusterEngine.aurora_mysql(version=rds.AuroraMysqlEngineVersion.VER_3_08_0),
        writer=rds.ClusterInstance.provisioned(
            "Writer", instance_type=ec2.InstanceType.of(ec2.InstanceClass.R6G, ec2.InstanceSize.LARGE)
        ),
        readers=[
            rds.ClusterInstance.provisioned(
                "Reader", instance_type=ec2.InstanceType.of(ec2.InstanceClass.R6G, ec2.InstanceSize.XLARGE)
            )
        ],
        vpc=vpc,
        storage_encrypted=True,
    )
    ConnectionBudget.of(cluster).alarms()
    ConnectionBudget.of(Downstream.readers(cluster)).alarms()
    found = alarms(stack)
    full = found["Aurora/ConnectionBudget/Alarms/Exhausted"]
    assert metrics_of_alarm(full) == {("AWS/RDS", "DatabaseConnections", ("DBClusterIdentifier", "Role"))}
    assert full["Metrics"][0]["MetricStat"]["Metric"]["Dimensions"][1]["Value"] == "WRITER"
    assert full["Threshold"] == 1000 - 5  # Aurora MySQL's table for db.r6g.large
    readers = found["Aurora/ReaderConnectionBudget/Alarms/Exhausted"]
    assert readers["Metrics"][0]["MetricStat"]["Metric"]["Dimensions"][1]["Value"] == "READER"
    assert readers["Threshold"] == 2000 - 5


def test_behind_a_proxy(stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]) -> None:
    function = VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, proxy=True, **code)
    pool, behind = function.share.budget, ConnectionBudget.of(database)
    pool.alarms()
    behind.alarms()
    breakwater_dashboard(stack, "Dashboards", [function])
    found = alarms(stack)
    # 70 % of 112 = 78 connections in the pool, 0.8 of them shared; (100 - 78) x 0.8 = 17 beside it.
    planned, lent = (
        found[f"{pool.node.path.partition('/')[2]}/Alarms/{name}"] for name in ("Connections", "Exhausted")
    )
    assert metrics_of_alarm(planned) == {("AWS/RDS", "ClientConnections", ("ProxyName",))}
    assert planned["Threshold"] == 62
    assert metrics_of_alarm(lent) == {("AWS/RDS", "DatabaseConnectionsCurrentlyBorrowed", ("ProxyName",))}
    assert lent["Threshold"] == 78
    assert found["Database/ConnectionBudget/Alarms/Connections"]["Threshold"] == 17 + 78
    assert found["Database/ConnectionBudget/Alarms/Exhausted"]["Threshold"] == 100
    (page,) = bodies(stack)
    text = [widget["properties"]["markdown"] for widget in page["widgets"] if widget["type"] == "text"]
    assert "(112 max_connections − 12 reserved − 0 external − 78 in pools) × 0.8 = **17**" in text[0]
    assert "(78 max_connections − 0 reserved − 0 external) × 0.8 = **62**" in text[1]
    shown = widgets(page)
    proxy = "Stack/Database/BreakwaterProxy/Proxy"
    assert limits(shown["Stack/Database: connections"]) == {"max_connections": 112, "planned": 95}
    assert limits(shown[f"{proxy}: connections"]) == {"max_connections": 78, "planned": 62}
    assert {metric for graph in shown.values() for metric in metrics_of_graph(graph) if metric[0] == "AWS/RDS"} <= {
        *DOCUMENTED
    }
    assert len(metrics_of_graph(shown[f"{proxy}: pool"])) == 4


def test_a_proxy_counts_the_clients_of_writer_and_readers_together(
    stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]
) -> None:
    cluster = rds.DatabaseCluster(
        stack,
        "Aurora",
        engine=rds.DatabaseClusterEngine.aurora_mysql(version=rds.AuroraMysqlEngineVersion.VER_3_08_0),
        writer=rds.ClusterInstance.provisioned("Writer", instance_type=ec2.InstanceType("r6g.large")),
        readers=[rds.ClusterInstance.provisioned("Reader", instance_type=ec2.InstanceType("r6g.large"))],
        vpc=vpc,
        storage_encrypted=True,
    )
    functions = [
        VpcDatabaseFunction(stack, name, database=database, vpc=vpc, proxy=True, concurrency=400, **code)
        for name, database in (("Orders", cluster), ("Reports", Downstream.readers(cluster)))
    ]
    for function in functions:
        function.share.budget.alarms()
    found = alarms(stack)
    for budget in ("ConnectionBudget", "ReaderConnectionBudget"):
        path = f"Aurora/BreakwaterProxy/Proxy/{budget}/Alarms"
        # 70 % of 1,000 each, 0.8 of them shared
        assert found[f"{path}/Connections"]["Threshold"] == 2 * 560
        assert found[f"{path}/Exhausted"]["Threshold"] == 2 * 700


def test_documentdb_and_elasticache_report_their_own(stack: cdk.Stack, vpc: ec2.Vpc) -> None:
    documents = docdb.DatabaseCluster(
        stack,
        "Documents",
        master_user=docdb.Login(username="app"),
        instance_type=ec2.InstanceType.of(ec2.InstanceClass.R6G, ec2.InstanceSize.LARGE),
        vpc=vpc,
    )
    ConnectionBudget.of(documents, max_connections=1700).alarms()
    group = elasticache.CfnReplicationGroup(
        stack,
        "Cache",
        replication_group_description="cache",
        engine="valkey",
        cache_node_type="cache.r7g.large",
        num_cache_clusters=2,
        transit_encryption_enabled=True,
    )
    ConnectionBudget.of(group).alarms()
    serverless = elasticache.CfnServerlessCache(stack, "Serverless", engine="valkey", serverless_cache_name="cache")
    ConnectionBudget.of(serverless).alarms()
    found = alarms(stack)
    assert metrics_of_alarm(found["Documents/ConnectionBudget/Alarms/Exhausted"]) == {
        ("AWS/DocDB", "DatabaseConnectionsMax", ("DBClusterIdentifier",))
    }
    nodes = found["Cache/ConnectionBudget/Alarms/Exhausted"]
    assert metrics_of_alarm(nodes) == {("AWS/ElastiCache", "CurrConnections", ("CacheClusterId",))}
    assert nodes["Metrics"][0]["Expression"] == "MAX([c0, c1])"
    identifiers = [query["MetricStat"]["Metric"]["Dimensions"][0]["Value"] for query in nodes["Metrics"][1:]]
    assert identifiers == [{"Fn::Join": ["-", [{"Ref": "Cache"}, node]]} for node in ("001", "002")]
    assert nodes["Threshold"] == 65_000
    assert metrics_of_alarm(found["Serverless/ConnectionBudget/Alarms/Exhausted"]) == {
        ("AWS/ElastiCache", "CurrConnections", ("clusterId",))
    }


@pytest.mark.parametrize(
    "options", [{"cluster_mode": "enabled"}, {"cache_parameter_group_name": "default.valkey8.cluster.on"}]
)
def test_in_cluster_mode_nodes_bear_their_groups_number(stack: cdk.Stack, options: dict[str, Any]) -> None:
    group = elasticache.CfnReplicationGroup(
        stack,
        "Cache",
        replication_group_description="cache",
        engine="valkey",
        cache_node_type="cache.r7g.large",
        num_node_groups=1,
        replicas_per_node_group=0,
        transit_encryption_enabled=True,
        **options,
    )
    ConnectionBudget.of(group).alarms()
    (query,) = alarms(stack)["Cache/ConnectionBudget/Alarms/Exhausted"]["Metrics"]
    (dimension,) = query["MetricStat"]["Metric"]["Dimensions"]
    assert dimension["Value"] == {"Fn::Join": ["-", [{"Ref": "Cache"}, "0001-001"]]}


def test_elsewhere_the_runtime_tells_what_it_saw(stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
    server = Downstream.endpoint(
        stack,
        "Server",
        host="db.example.net",
        engine=DatabaseEngine.MYSQL,
        max_connections=105,
        secret=secretsmanager.Secret(stack, "Secret"),
    )
    for name in ("Orders", "Reports"):
        VpcDatabaseFunction(stack, name, database=server, vpc=vpc, **code)
    ConnectionBudget.of(server).alarms()
    found = alarms(stack)["Server/ConnectionBudget/Alarms/Exhausted"]
    assert metrics_of_alarm(found) == {("Breakwater", "ServerConnections", ("Downstream", "FunctionName"))}
    assert found["Metrics"][0]["Expression"] == "MAX([c0, c1])"
    assert found["Threshold"] == 100


def test_a_budget_by_itself_counts_what_functions_can_hold(
    app: cdk.App, stack: cdk.Stack, code: dict[str, Any]
) -> None:
    # Of another stack, the function refers to nothing here, and nothing here may refer to it.
    budget = ConnectionBudget(stack, "Budget", max_connections=100)
    other = cdk.Stack(app, "Other", env=cdk.Environment(account="123456789012", region="eu-central-1"))
    for name in ("Orders", "Reports"):
        function = lambda_.Function(other, name, **code)
        budget.share(name, connections_per_environment=2).limit(function, overlap=False)
    budget.alarms()
    assert not alarms(stack)
    ((path, found),) = alarms(other).items()
    assert path.startswith("Orders/")
    assert found["Metrics"][0]["Expression"] == "FILL(f0, 0) * 2 + FILL(f1, 0) * 2"
    assert found["Threshold"] == 80
    Template.from_stack(stack)


def test_every_ten_functions_have_an_alarm_of_their_shares(stack: cdk.Stack, code: dict[str, Any]) -> None:
    budget = ConnectionBudget(stack, "Budget", max_connections=200)
    functions = [limited(stack, budget, f"Worker{number}", code) for number in range(21)]
    budget.alarms()
    found = alarms(stack)
    assert [len(metrics_of_each(alarm)) for alarm in found.values()] == [10, 10, 1]
    template = Template.from_stack(stack)
    reserved = [
        template.to_json()["Resources"][stack.get_logical_id(resource)]["Properties"]["ReservedConcurrentExecutions"]
        for function in functions
        if isinstance(resource := function.node.default_child, cdk.CfnElement)
    ]
    thresholds = [alarm["Threshold"] for alarm in found.values()]
    assert thresholds == [sum(reserved[:10]), sum(reserved[10:20]), reserved[20]]
    assert "Worker20 have held more than" in list(found.values())[-1]["AlarmDescription"]


def test_more_shares_than_a_graph_takes_are_drawn_in_several(
    stack: cdk.Stack, code: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget_alarms, "_SHARES", 2)
    budget = ConnectionBudget(stack, "Budget", max_connections=100)
    for name in ("Orders", "Reports", "Nightly"):
        limited(stack, budget, name, code)
    _, *graphs = budget.widgets()
    drawn = [stack.resolve(graph.to_json())[0]["properties"]["metrics"] for graph in graphs]
    assert [sum("expression" in metric[0] for metric in metrics) for metrics in drawn] == [2, 1]


def metrics_of_each(alarm: dict[str, Any]) -> list[dict[str, Any]]:
    return [query for query in alarm["Metrics"] if "MetricStat" in query]


def test_nothing_to_measure_is_an_error(stack: cdk.Stack) -> None:
    budget = ConnectionBudget(stack, "Budget", max_connections=100)
    assert budget.widgets() == []
    with pytest.raises(BreakwaterError, match="Stack/Budget: nothing measures its connections"):
        budget.alarms()


def test_an_unknown_max_connections_is_the_budgets_own_error(app: cdk.App, stack: cdk.Stack) -> None:
    imported = rds.DatabaseInstance.from_database_instance_attributes(
        stack,
        "Imported",
        instance_identifier="orders",
        instance_endpoint_address="orders.example.net",
        port=5432,
        security_groups=[],
        engine=rds.DatabaseInstanceEngine.POSTGRES,
    )
    budget = ConnectionBudget.of(imported)
    budget.alarms()
    cloudwatch.Dashboard(stack, "Dashboard").add_widgets(*budget.widgets())
    with pytest.raises(RuntimeError, match=r"nothing in the app states its max_connections.*ConnectionBudget.of"):
        app.synth()
