"""A page for each downstream, made of metrics that AWS documents; and alarms without an action before the nag packs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import aws_cdk as cdk
import cdk_nag
import pytest
from aws_cdk import Validations
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk import aws_sqs as sqs

from cdk_breakwater import (
    ApiProtocol,
    BreakwaterError,
    ConnectionBudget,
    DataApiFunction,
    DecoupledInvocation,
    InvocationSource,
    QuotaThrottledInvocation,
    QuotaTier,
    ThrottledApi,
    VpcDatabaseFunction,
    breakwater_dashboard,
)

from .documented_metrics import DOCUMENTED
from .templates import bodies, bodies_in, metrics_of_alarm, metrics_of_graph, properties, widgets

CODE: dict[str, Any] = {
    "handler": "index.handler",
    "runtime": lambda_.Runtime.PYTHON_3_14,
}


class World(NamedTuple):
    alarms: list[dict[str, Any]]
    pages: list[dict[str, Any]]
    report: dict[str, Any]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Every construct, in one stack; its dashboards in another."""
    out = tmp_path_factory.mktemp("world")
    app = cdk.App(outdir=str(out))
    stack, page = cdk.Stack(app, "Shop"), cdk.Stack(app, "Pages")
    code = {"code": lambda_.Code.from_inline("def handler(event, context): pass"), **CODE}
    vpc = ec2.Vpc(stack, "Vpc", max_azs=2, nat_gateways=1)
    database = rds.DatabaseInstance(
        stack,
        "Database",
        engine=rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17),
        vpc=vpc,
        parameters={"max_connections": "112"},
        storage_encrypted=True,
    )
    aurora = rds.DatabaseCluster(
        stack,
        "Aurora",
        engine=rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_16_6),
        writer=rds.ClusterInstance.serverless_v2("Writer"),
        vpc=vpc,
        storage_encrypted=True,
    )
    table = dynamodb.Table(
        stack,
        "Table",
        partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
    )
    names = ("Writer", "Reader", "Counter")
    functions = [VpcDatabaseFunction(stack, name, database=database, vpc=vpc, **code) for name in names]
    writer, reader, counter = functions
    watched: list[Any] = [
        *functions,
        DecoupledInvocation(stack, "Jobs", function=writer),
        DecoupledInvocation(stack, "Changes", function=counter, source=InvocationSource.dynamodb_stream(table)),
        ThrottledApi(stack, "Api", function=reader, expected_duration=cdk.Duration.millis(200)),
        ThrottledApi(stack, "Http", function=reader, rate_limit=5, protocol=ApiProtocol.HTTP),
        ConnectionBudget.of(database),
        ConnectionBudget.of(aurora),
        DataApiFunction(stack, "Data", cluster=aurora, **code),
        QuotaThrottledInvocation(
            stack, "Quota", function=writer, tiers=[QuotaTier(limit=10, period=cdk.Duration.seconds(1))]
        ),
    ]
    for construct in watched:
        construct.alarms()
    dashboards = breakwater_dashboard(page, "Dashboards", watched, default_interval=cdk.Duration.hours(12))
    assert [dashboard.node.id for dashboard in dashboards] == ["Shop-Database", "Shop-Aurora", "Shop-Quota"]
    packs: list[Any] = [cdk_nag.HIPAASecurityChecks(app), cdk_nag.NIST80053R5Checks(app)]
    Validations.of(app).add_plugins(*packs)
    with pytest.raises(RuntimeError):  # the databases here are not clean, and that proves the packs ran
        app.synth()
    shop, pages, report = (
        json.loads((out / name).read_text())
        for name in ("Shop.template.json", "Pages.template.json", "validation-report.json")
    )
    return World(properties(shop, "AWS::CloudWatch::Alarm"), bodies_in(pages), report)


def titles(page: dict[str, Any]) -> list[str]:
    return list(widgets(page))


def test_a_page_holds_what_stands_before_one_downstream(world: World) -> None:
    database, aurora, quota = world.pages
    assert titles(database) == [
        "Alarms of Shop/Database",
        "Shop/Database: connections",
        "Shop/Database: concurrency, % of each share",
        *(
            f"Shop/{name}: {what}"
            for name in ("Writer", "Reader", "Counter")
            for what in ("concurrency", "duration", "connections")
        ),
        "Shop/Jobs: messages",
        "Shop/Jobs: age",
        "Shop/Changes: iterator age",
        "Shop/Changes: records",
        "Shop/Api: requests",
        "Shop/Api: latency",
        "Shop/Http: requests",
        "Shop/Http: latency",
    ]
    assert titles(aurora) == [
        "Alarms of Shop/Aurora",
        "Shop/Aurora: connections",
        "Shop/Data: concurrency",
        "Shop/Data: duration",
    ]
    assert [title.split(":")[0] for title in titles(quota)] == ["Alarms of Shop/Quota", *["Shop/Quota"] * 4]
    assert "text" not in {widget["type"] for widget in quota["widgets"]}
    assert {page["start"] for page in world.pages} == {"-PT12H"}


def test_a_page_begins_with_the_alarms_and_the_budgets_numbers(world: World) -> None:
    first, second, *_ = world.pages[0]["widgets"]
    # functions 2 + 2 + 3, queue 3, stream 3, APIs 3 + 2, budget 2
    assert len(first["properties"]["alarms"]) == 7 + 3 + 3 + 5 + 2
    text = second["properties"]["markdown"]
    assert "(112 max_connections − 12 reserved − 0 external) × 0.8 = **80** for functions" in text
    assert "| Shop/Writer | 26 | 26 |" in text


def test_widgets_lie_side_by_side_and_not_upon_each_other(world: World) -> None:
    for page in world.pages:
        taken: set[tuple[int, int]] = set()
        for widget in page["widgets"]:
            cells = {
                (widget["x"] + x, widget["y"] + y) for x in range(widget["width"]) for y in range(widget["height"])
            }
            assert not cells & taken
            assert max(x for x, _ in cells) < 24
            taken |= cells


def test_every_metric_is_one_that_is_documented_or_ours(world: World) -> None:
    found = {metric for alarm in world.alarms for metric in metrics_of_alarm(alarm)}
    for page in world.pages:
        for graph in widgets(page).values():
            found |= metrics_of_graph(graph)
    ours = {metric for metric in found if metric[0] == "Breakwater"}
    assert len(found - ours) > 15
    assert not (found - ours) - DOCUMENTED.keys()
    assert {dimensions for _, _, dimensions in ours} == {
        (),  # the 429s that a metric filter counts
        ("Downstream", "FunctionName"),
        ("Quota",),
        ("Quota", "Tier"),
    }


def test_alarms_without_an_action_are_acknowledged(world: World) -> None:
    rules = {
        (violation["ruleName"], place["constructPath"])
        for pack in world.report["pluginReports"]
        for violation in pack["violations"]
        for place in violation["violatingConstructs"]
    }
    assert any("RDS" in rule for rule, _ in rules)
    assert not [finding for finding in rules if "Alarm" in finding[0] or "Alarm" in finding[1] or "Pages" in finding[1]]


def test_what_no_page_can_show(tmp_path: Path) -> None:
    stack = cdk.Stack(cdk.App(outdir=str(tmp_path)), "Stack")
    with pytest.raises(BreakwaterError, match="Stack/None: there are no constructs"):
        breakwater_dashboard(stack, "None", [])
    other: Any = sqs.Queue(stack, "Queue")
    with pytest.raises(BreakwaterError, match=r"Stack/Wrong: .*Queue.* has no widgets"):
        breakwater_dashboard(stack, "Wrong", [other])


def test_a_function_without_a_share_has_a_page_of_its_own(tmp_path: Path) -> None:
    stack = cdk.Stack(cdk.App(outdir=str(tmp_path)), "Stack")
    code = {"code": lambda_.Code.from_inline("def handler(event, context): pass"), **CODE}
    function = lambda_.Function(stack, "Worker", reserved_concurrent_executions=5, **code)
    jobs = DecoupledInvocation(stack, "Jobs", function=function)
    (dashboard,) = breakwater_dashboard(stack, "Dashboards", [jobs, jobs])
    assert dashboard.node.id == "Stack-Worker"
    # The function that hands out results has a reservation of its own, and its door stands before the same source.
    door = jobs.add_front_door("Door", path="jobs")
    more = breakwater_dashboard(stack, "More", [jobs, door.api, door.results_function])
    assert [dashboard.node.id for dashboard in more] == ["Stack-Worker"]
    page, _ = bodies(stack)
    assert titles(page) == ["Stack/Jobs: messages", "Stack/Jobs: age"]
    assert page["start"] == "-PT3H"


def test_a_front_door_is_on_the_page_of_its_source(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    worker = VpcDatabaseFunction(stack, "Worker", database=database, vpc=vpc, **code)
    jobs = DecoupledInvocation(stack, "Jobs", function=worker)
    door = jobs.add_front_door("Door", path="orders")
    made = door.alarms()
    assert [alarm.node.path.partition("Door/")[2] for alarm in made] == [
        "Api/Alarms/Refused",
        "Api/Alarms/ServerErrors",
        "Api/Alarms/Errors",
        "Results/Alarms/Throttles",
        "Results/Alarms/Concurrency",
    ]
    (page,) = breakwater_dashboard(stack, "Dashboards", [door])
    assert page.node.id == "Stack-Database"
    (body,) = bodies(stack)
    assert len(body["widgets"][0]["properties"]["alarms"]) == len(made)
    assert {"Stack/Database: connections", "Stack/Jobs/Door/Api: requests", "Stack/Jobs/Door/Results: concurrency"} <= (
        widgets(body).keys()
    )
