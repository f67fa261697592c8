"""`breakwater drill`: bounded, by consent, and judged by what the account says."""

from __future__ import annotations

import io
import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, ClassVar

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from rich.console import Console
from typer.testing import CliRunner

from cdk_breakwater import BreakwaterError, ConnectionBudget
from cdk_breakwater.cli.drill import run
from cdk_breakwater.cli.drill_plan import Drill, prepare
from cdk_breakwater.cli.drill_report import Verdict, announcement, report, verdict
from cdk_breakwater.cli.drill_watch import Watch
from cdk_breakwater.cli.main import app as command
from cdk_breakwater.cli.reservations import read_paths
from tests.unit.databases import POSTGRESQL


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drill") / "cdk.out"
    app = cdk.App(outdir=str(folder))
    stack = cdk.Stack(app, "Shop")
    vpc = ec2.Vpc(stack, "Vpc", max_azs=2, nat_gateways=0)
    isolated = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC)
    database = rds.DatabaseInstance(
        stack, "Db", vpc=vpc, vpc_subnets=isolated, engine=POSTGRESQL, parameters={"max_connections": "30"}
    )
    budget = ConnectionBudget.of(database)
    for name in ("Orders", "Reports"):
        code = lambda_.Code.from_inline("def handler(event, context): pass")
        function = lambda_.Function(
            stack, name, code=code, handler="index.handler", runtime=lambda_.Runtime.PYTHON_3_14
        )
        budget.share(f"Shop/{name}").limit(function, overlap=False)
    app.synth()
    return folder


class ServiceError(Exception):
    response: ClassVar = {"Error": {"Code": "ValidationError"}}


class TooManyRequestsError(Exception):
    pass


class Account:
    """CloudFormation, Lambda and CloudWatch, as far as a drill asks for them."""

    def __init__(self, assembly: Path, answers: dict[str, Any] | None = None) -> None:
        self.template = json.loads((assembly / "Shop.template.json").read_text(encoding="utf-8"))
        self.answers = answers or {}
        self.reserved: int | None = 4
        self.connections: float | None = None
        self.alarms: list[dict[str, Any]] = []
        self.calls = 0
        self.exceptions = type(
            "Exceptions", (), {"ClientError": ServiceError, "TooManyRequestsException": TooManyRequestsError}
        )

    def client(self, service: str) -> Any:
        return self

    def get_template(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        if StackName != "Shop":
            raise ServiceError
        return {"TemplateBody": self.template}

    def get_paginator(self, operation: str) -> Any:
        assert operation == "list_stack_resources"
        return self

    def paginate(self, StackName: str) -> list[dict[str, Any]]:  # noqa: N803
        if StackName != "Shop":
            raise ServiceError
        summaries = [
            {"LogicalResourceId": id_, "ResourceType": resource["Type"], "PhysicalResourceId": f"real-{id_}"}
            for id_, resource in self.template["Resources"].items()
        ]
        return [{"StackResourceSummaries": summaries}]

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        return {"Stacks": [{"StackId": "arn:aws:cloudformation:eu-west-1:111122223333:stack/Shop/1"}]}

    def get_function_concurrency(self, FunctionName: str) -> dict[str, int]:  # noqa: N803
        return {} if self.reserved is None else {"ReservedConcurrentExecutions": self.reserved}

    def get_function_configuration(self, FunctionName: str) -> dict[str, int]:  # noqa: N803
        return {"MemorySize": 512, "Timeout": 10}

    def invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        self.calls += 1
        name = next(name for name in ("Orders", "Reports") if name in FunctionName)
        answer = self.answers.get(name, "done")
        if answer == "throttled":
            raise TooManyRequestsError
        error = {} if answer == "done" else {"FunctionError": "Unhandled"}
        return {"Payload": io.BytesIO(json.dumps(answer).encode()), **error}

    def describe_alarms(self, AlarmNames: list[str], StateValue: str) -> dict[str, Any]:  # noqa: N803
        assert StateValue == "ALARM"
        return {"MetricAlarms": [alarm for alarm in self.alarms if alarm["AlarmName"] in AlarmNames]}

    def get_metric_statistics(self, MetricName: str, Statistics: list[str], **asked: Any) -> dict[str, Any]:  # noqa: N803
        assert asked["StartTime"] <= datetime.now(timezone.utc)
        if MetricName != "DatabaseConnections":
            return {"Datapoints": [{"Maximum": 4.0, "Sum": 3.0}]}
        return {"Datapoints": [] if self.connections is None else [{"Maximum": self.connections}, {"Maximum": 1.0}]}


def drilled(account: Account, assembly: Path, **options: Any) -> tuple[Verdict, str, Drill]:
    drill = prepare("Shop", assembly, account.client, **{"seconds": 5, "most_calls": 40, **options})
    watch = Watch({**read_paths(assembly), "Other": {}}, account.client)
    outcome = run(drill, b"{}", account.client, watch.firing)
    measured = watch.measured(drill, outcome, 0)
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(report(drill, outcome, measured))
    return verdict(drill, outcome, measured), console.export_text(), drill


def test_it_ends_when_all_calls_are_made_and_says_what_was_seen(assembly: Path) -> None:
    account = Account(assembly)
    account.connections = 8
    judged, text, drill = drilled(account, assembly)
    assert (judged, account.calls) == (Verdict.WITHIN, 40)
    assert "Within the budget: the database refused nobody." in text
    assert "No limit bound" in text
    assert [(target.name, target.at_once) for target in drill.targets] == [("Shop/Orders", 6), ("Shop/Reports", 6)]
    # by hand: 2 functions x 4 environments x 0.5 GB x (5 + 10) s, and 40 requests
    assert drill.dollars == pytest.approx(2 * 4 * 0.5 * 15 * 0.0000166667 + 40 * 0.20e-6)


def test_the_first_limit_that_bound_is_named(assembly: Path) -> None:
    judged, text, _ = drilled(Account(assembly, {"Reports": "throttled"}), assembly, seconds=1)
    assert judged is Verdict.WITHIN
    assert "The first limit that bound was the reserved concurrency of Shop/Reports, 4" in text


@pytest.mark.parametrize(
    "message",
    ["FATAL: sorry, too many clients already", "(1040, 'Too many connections')", "no more connections allowed"],
)
def test_a_refusal_by_the_database_is_not_within_the_budget(assembly: Path, message: str) -> None:
    account = Account(assembly, {"Orders": {"errorType": "OperationalError", "errorMessage": message}})
    judged, text, _ = drilled(account, assembly)
    assert judged is Verdict.EXCEEDED
    assert "Not within the budget: the database refused" in text
    assert f"Shop/Orders failed first with: OperationalError: {message}" in text


def test_more_connections_than_planned_are_not_within_the_budget(assembly: Path) -> None:
    account = Account(assembly)
    account.connections = 25
    judged, text, drill = drilled(account, assembly)
    assert judged is Verdict.EXCEEDED
    assert f"Shop/Db had 25 connections, and its budget with others' is {drill.plans[0].shared}." in text


def test_calls_that_all_fail_show_nothing(assembly: Path) -> None:
    failed = {"errorType": "KeyError", "errorMessage": "'id'"}
    judged, text, _ = drilled(Account(assembly, {"Orders": failed, "Reports": failed}), assembly)
    assert judged is Verdict.NOTHING_SHOWN
    assert "Nothing is shown: no call was answered." in text


def test_an_alarm_of_a_database_stops_it_and_another_does_not(assembly: Path) -> None:
    account = Account(assembly)
    resource = {"Type": "AWS::CloudWatch::Alarm"}
    account.template["Resources"] |= {"Full": resource, "Throttles": resource}
    stat = {"MetricStat": {"Metric": {"Namespace": "AWS/RDS", "MetricName": "DatabaseConnections"}}}
    account.alarms = [{"AlarmName": "real-Throttles", "Namespace": "AWS/Lambda"}]
    assert Watch({"Shop": {}}, account.client).firing() == ()
    assert Watch({"Shop": {}}, account.client, ["real-Throttles"]).firing() == ("real-Throttles",)
    account.alarms.append({"AlarmName": "real-Full", "Metrics": [stat]})
    drill = prepare("Shop", assembly, account.client, seconds=60, most_calls=10**9)
    outcome = run(drill, b"{}", account.client, lambda: ("real-Full",))
    assert outcome.fired == ("real-Full",)
    assert outcome.ended - outcome.began < 50
    assert verdict(drill, outcome, Watch({}, account.client).measured(drill, outcome, 0)) is Verdict.STOPPED


def test_the_announcement_says_what_is_called_and_the_cost(assembly: Path) -> None:
    account = Account(assembly)
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(announcement(prepare("Shop", assembly, account.client, functions=["Shop/Orders"], times=1)))
    text = console.export_text()
    assert "Shop/Orders" in text
    assert "Shop/Reports" not in text
    assert "less than $0.01" in text
    assert account.calls == 0


@pytest.mark.parametrize(
    ("reserved", "stack", "options", "message"),
    [
        (
            4,
            "Shop",
            {"functions": ["Orders"]},
            "Shop: it has no function Orders with a share. Name one of: Shop/Orders, ",
        ),
        (None, "Shop", {}, "Shop/Orders: its reserved concurrency is not set in the account. Deploy the share first"),
        (0, "Shop", {}, "Shop/Orders: its reserved concurrency is 0 in the account."),
        (400, "Shop", {}, "Shop: that would be 1,200 calls at once, and one machine makes 500."),
        (4, "Other", {}, "Other: it is not deployed, or has no function with a share. Name a deployed stack"),
    ],
)
def test_what_cannot_be_drilled_is_said(
    assembly: Path, reserved: int | None, stack: str, options: dict[str, Any], message: str
) -> None:
    account = Account(assembly)
    account.reserved = reserved
    with pytest.raises(BreakwaterError) as raised:
        prepare(stack, assembly, account.client, **options)
    assert message in str(raised.value)


def test_it_watches_databases_of_nested_stacks() -> None:
    class Deployed:
        exceptions = type("Exceptions", (), {"ClientError": ServiceError})

        def client(self, service: str) -> Any:
            return self

        def get_paginator(self, operation: str) -> Any:
            return self

        def paginate(self, StackName: str) -> list[dict[str, Any]]:  # noqa: N803
            if StackName not in stacks:
                raise ServiceError
            return [
                {
                    "StackResourceSummaries": [
                        {"LogicalResourceId": id_, "ResourceType": type_, "PhysicalResourceId": physical}
                        for id_, type_, physical in stacks[StackName]
                    ]
                }
            ]

    instance, nested = "AWS::RDS::DBInstance", "AWS::CloudFormation::Stack"
    # As the CDK names them: both databases have the id that their path below their stack gives them.
    stacks = {
        "Shop": [("Db1", instance, "own"), ("Data2", nested, "arn:data"), ("More3", nested, "arn:more")],
        "arn:data": [("Db1", instance, "of-data"), ("Full", "AWS::CloudWatch::Alarm", "data-full")],
        "arn:more": [("Db1", instance, "of-more")],
    }
    known = {
        "Shop/Data.NestedStack/Data.NestedStackResource": "Data2",
        "Shop/More.NestedStack/More.NestedStackResource": "More3",
        "Shop/Data/Db/Resource": "Db1",
        "Shop/More/Db/Resource": "Db1",
        "Shop/Db/Resource": "Db1",
        "Shop/Data/Full/Resource": "Full",
    }
    watch = Watch({"Shop": known}, Deployed().client)
    assert {path: physical for path, _, physical in watch.databases} == {
        "Shop/Db/Resource": "own",
        "Shop/Data/Db/Resource": "of-data",
        "Shop/More/Db/Resource": "of-more",
    }
    assert watch.alarms == ["data-full"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--payload", "@nowhere.json"), "--payload: nowhere.json can't be read"),
        (("--payload", "{"), "--payload: it is not JSON"),
        (("--payload", "{}", "--times", "inf"), "'--times'"),
        (("--payload", "{}", "--wait", "nan"), "'--wait'"),
    ],
)
def test_odd_options_are_refused_in_words(options: tuple[str, ...], said: str, assembly: Path) -> None:
    result = CliRunner().invoke(
        command, ["drill", "Shop", "--assembly", str(assembly), "--region", "eu-west-1", *options]
    )
    assert result.exit_code == 2  # as docs/drill.md says
    assert said in result.output
