"""The template of a quota: who may do what, and numbers that follow from each other."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from runpy import run_path
from typing import Any

import aws_cdk as cdk
import cdk_nag
import jsii
import pytest
from aws_cdk import Duration, Validations
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as cloudwatch_actions
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Annotations, Match, Template

from cdk_breakwater.errors import BreakwaterError
from cdk_breakwater.layers.packaged_sources import handler_directory
from cdk_breakwater.layers.runtime_layer import RuntimeLayer
from cdk_breakwater.quota.invocation import QuotaThrottledInvocation
from cdk_breakwater.quota.tier import QuotaTier
from handlers.quota_dispatcher import dispatcher
from handlers.quota_dispatcher.caller import LATE
from handlers.quota_dispatcher.settings import Settings
from handlers.quota_dispatcher.tiers import TAG, fingerprint, window

TIERS = [
    QuotaTier(limit=10, period=Duration.seconds(1)),
    QuotaTier(limit=5_000, period=Duration.days(1), start="calendar", time_zone="America/Los_Angeles"),
]


@jsii.implements(cdk.INumberProducer)
class _Five:
    def produce(self, context: cdk.IResolveContext) -> float:
        return 5


def caller(stack: cdk.Stack, code: dict[str, Any], seconds: int = 10) -> lambda_.Function:
    return lambda_.Function(stack, "Caller", **code, timeout=Duration.seconds(seconds))


def settings_of(template: Template) -> dict[str, Any]:
    functions = template.find_resources(
        "AWS::Lambda::Function", {"Properties": {"Handler": "quota_dispatcher.dispatcher.handler"}}
    )
    (function,) = functions.values()
    value = function["Properties"]["Environment"]["Variables"]["BREAKWATER_QUOTA"]
    parts = [part if isinstance(part, str) else next(iter(part.values())) for part in value["Fn::Join"][1]]
    return json.loads("".join(part if isinstance(part, str) else ".".join(part) for part in parts))


def test_an_alias_is_called_as_such_and_guarded_as_its_function(stack: cdk.Stack, code: dict[str, Any]) -> None:
    function = caller(stack, code)
    live = lambda_.Alias(stack, "Live", alias_name="live", version=function.current_version)
    QuotaThrottledInvocation(stack, "Crm", function=live, tiers=TIERS)
    template = Template.from_stack(stack)
    assert "Live" in str(settings_of(template)["function"])
    layers = template.find_resources("AWS::Lambda::Function", {"Properties": {"Handler": "index.handler"}})
    assert [len(each["Properties"]["Layers"]) for each in layers.values()] == [1]
    with pytest.raises(BreakwaterError, match="Stack/Caller stands behind Stack/Crm already"):
        QuotaThrottledInvocation(stack, "Other", function=function, tiers=TIERS)


def test_the_dispatcher_reads_what_the_construct_writes(stack: cdk.Stack, code: dict[str, Any]) -> None:
    quota = QuotaThrottledInvocation(stack, "Crm", function=caller(stack, code), tiers=TIERS, lanes=3, priority=True)
    settings = Settings(**settings_of(Template.from_stack(stack)))
    assert settings.name == "Stack/Crm"
    around = LATE + 1_000 + 10_000 + 1_000
    assert settings.longest_call == around + 10_000, "late start, connection, cold start, way, and the timeout"
    windows = settings.counter().quota.in_order(settings.tiers)
    assert [(window.limit, window.period) for window in windows] == [(10, 1_000), (5_000, 86_400_000)]
    assert list(settings.lanes.values()) == [[0], [1, 2, 3], [1], [2], [3], [0]], "doors, and the lanes of once"
    assert (settings.first, settings.former) == ([0], [])
    assert quota.dispatcher.timeout is not None
    assert (dispatcher.SPARE + settings.longest_call) / 1000 < quota.dispatcher.timeout.to_seconds()


def test_a_tier_that_counts_arrivals_tells_the_dispatcher_when_they_have_arrived() -> None:
    tier = QuotaTier(limit=10, period=Duration.seconds(1), counted="arrival", arrives_within=Duration.millis(300))
    assert tier.setting() == {"limit": 10, "period": 1_000, "arrival": LATE + 300}
    found = window(**tier.setting())
    assert found.key == "arrival:1000"


def test_a_tier_that_counts_weights_tells_where_they_stand(stack: cdk.Stack, code: dict[str, Any]) -> None:
    tokens = QuotaTier(limit=100_000, period=Duration.minutes(1), weight="$.tokens")
    calls = QuotaTier(limit=500, period=Duration.minutes(1))
    quota = QuotaThrottledInvocation(stack, "Llm", function=caller(stack, code), tiers=[tokens, calls])
    template = Template.from_stack(stack)
    settings = Settings(**settings_of(template))
    assert settings.counter().quota.unit == "$.tokens"
    assert [found.key for found in settings.counter().quota.windows] == ["rolling:60000:$.tokens", "rolling:60000"]
    policy = template.find_resources("AWS::IAM::Policy")
    intake = stack.get_logical_id(quota.node.find_child("IntakeRole").node.default_child)
    dead = stack.get_logical_id(quota.dead_letter_queue.node.default_child)
    (mine,) = (found for found in policy.values() if found["Properties"]["Roles"] == [{"Ref": intake}])
    sends = [
        statement["Resource"]["Fn::GetAtt"][0]
        for statement in mine["Properties"]["PolicyDocument"]["Statement"]
        if "sqs:SendMessage" in statement["Action"]
    ]
    assert dead in sends, "it refuses at the door"
    assert str(tokens) == "100000 of $.tokens per 1 minute"
    assert not Annotations.from_stack(stack).find_warning("*", Match.string_like_regexp("calls a second are granted"))


@pytest.mark.parametrize(
    "weight",
    [
        *(
            "$",
            "$tokens",
            "$.a..b",
            "$[x]",
            "a b",
            "$.a.",
            "x" * 257,
            "$.*",
            "$.rows.*.n",
            "$.*[0]",
            "$.a[1000000]",
            "$.a[*]",
        ),
        *(".a", "a.", "a..b", "AWS.tokens", "aws.tokens", "Amazon.tokens", "AMAZON.x"),
    ],
)
def test_a_weight_is_a_path_or_an_attribute(weight: str) -> None:
    with pytest.raises(BreakwaterError, match="neither a path nor the name of an attribute"):
        QuotaTier(limit=1, period=Duration.seconds(1), weight=weight)


@pytest.mark.parametrize("weight", ["$.a*", "$.*a", "$.größe", "x" * 256, "a.b-c_d", "AWSTokens", "Amazon", "0"])
def test_what_may_stand_in_a_message_is_no_mistake(weight: str) -> None:
    assert QuotaTier(limit=1, period=Duration.seconds(1), weight=weight).setting()["weight"] == weight


def test_all_tiers_that_count_weights_count_the_same(stack: cdk.Stack, code: dict[str, Any]) -> None:
    tiers = [QuotaTier(limit=9, period=Duration.seconds(number), weight=f"$.w{number}") for number in (1, 2)]
    with pytest.raises(BreakwaterError, match=r"different weights: \$.w1, \$.w2"):
        QuotaThrottledInvocation(stack, "Llm", function=caller(stack, code), tiers=tiers)


def test_in_order_the_lanes_of_an_older_release_go_first(stack: cdk.Stack, code: dict[str, Any]) -> None:
    QuotaThrottledInvocation(stack, "Crm", function=caller(stack, code), tiers=TIERS, lanes=2, ordered=True)
    settings = Settings(**settings_of(Template.from_stack(stack)))
    assert list(settings.lanes.values()) == [[1, 2], [101], [102]]
    assert settings.first == [101, 102, 0]
    assert len(settings.former) == 2


def test_what_the_dispatcher_compares_is_the_tag_of_the_doorbell(stack: cdk.Stack, code: dict[str, Any]) -> None:
    QuotaThrottledInvocation(stack, "Crm", function=caller(stack, code), tiers=TIERS)
    template = Template.from_stack(stack)
    tag = {"Key": TAG, "Value": fingerprint(settings_of(template)["tiers"])}
    template.resource_properties_count_is("AWS::SQS::Queue", {"Tags": [tag]}, 1)


def test_every_queue_of_the_quota_is_mapped(stack: cdk.Stack, code: dict[str, Any]) -> None:
    QuotaThrottledInvocation(stack, "Crm", function=caller(stack, code), tiers=TIERS)
    template = Template.from_stack(stack)
    template.resource_count_is("AWS::Lambda::EventSourceMapping", 3)
    template.resource_properties_count_is(
        "AWS::Lambda::EventSourceMapping", {"BatchSize": 100, "MaximumBatchingWindowInSeconds": 1}, 2
    )
    template.has_resource_properties(
        "AWS::Lambda::EventSourceMapping", {"BatchSize": 1, "ScalingConfig": {"MaximumConcurrency": 2}}
    )
    template.all_resources_properties(
        "AWS::SQS::Queue", {"SqsManagedSseEnabled": True, "MessageRetentionPeriod": 1_209_600}
    )
    template.resource_properties_count_is(
        "AWS::SQS::Queue", {"RedrivePolicy": {"maxReceiveCount": 1_000, "deadLetterTargetArn": Match.any_value()}}, 2
    )
    template.all_resources_properties(
        "AWS::SQS::QueuePolicy",
        {
            "PolicyDocument": Match.object_like(
                {
                    "Statement": [
                        {
                            "Effect": "Deny",
                            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                            "Action": "sqs:*",
                            "Principal": Match.any_value(),
                            "Resource": Match.any_value(),
                        }
                    ]
                }
            )
        },
    )


def test_all_that_holds_messages_is_kept_where_the_table_is(stack: cdk.Stack, code: dict[str, Any]) -> None:
    policy = cdk.RemovalPolicy.RETAIN
    options: dict[str, Any] = {"tiers": TIERS, "priority": True, "lanes": 2}
    quota = QuotaThrottledInvocation(stack, "Crm", function=caller(stack, code), removal_policy=policy, **options)
    resources = Template.from_stack(stack).to_json()["Resources"]
    kinds = ("AWS::SQS::Queue", "AWS::DynamoDB::Table")
    deleted = [name for name, each in resources.items() if each["Type"] in kinds and each["DeletionPolicy"] != "Retain"]
    assert deleted == [
        stack.get_logical_id(quota.node.find_child("Queues").node.find_child("Doorbell").node.default_child)
    ]


def test_rights_are_no_wider_than_the_work(stack: cdk.Stack, code: dict[str, Any]) -> None:
    quota = QuotaThrottledInvocation(stack, "Crm", function=caller(stack, code), tiers=TIERS)
    quota.grant_acquire(lambda_.Function(stack, "Page", **code))
    template = Template.from_stack(stack)
    actions = {}
    for policy in template.find_resources("AWS::IAM::Policy").values():
        found = set()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            if statement["Resource"] == "*":
                assert {action.split(":")[0] for action in statement["Action"]} == {"xray"}
            found |= {statement["Action"]} if isinstance(statement["Action"], str) else set(statement["Action"])
        actions[policy["Properties"]["Roles"][0]["Ref"]] = {a for a in found if a.startswith(("dynamodb:", "lambda:"))}
    dispatcher_role, intake_role, acquirer_role = (
        stack.get_logical_id(quota.node.find_child(f"{name}Role").node.default_child)
        for name in ("Dispatcher", "Intake", "Acquirer")
    )
    assert actions[acquirer_role] == {"dynamodb:GetItem", "dynamodb:UpdateItem"}
    assert actions[dispatcher_role] == {
        *(f"dynamodb:{verb}Item" for verb in ("Get", "Put", "Update", "Delete")),
        "dynamodb:Scan",
        "lambda:InvokeFunction",
    }
    assert actions[intake_role] == {f"dynamodb:{verb}Item" for verb in ("Get", "Put", "Update")}


def test_who_calls_the_provider_itself_may_ask_for_slots_and_no_more(stack: cdk.Stack, code: dict[str, Any]) -> None:
    quota = QuotaThrottledInvocation(stack, "Crm", function=caller(stack, code), tiers=TIERS)
    assert quota.node.try_find_child("Acquirer") is None, "made when it is needed"
    pages = [lambda_.Function(stack, name, **code) for name in ("Page", "Other")]
    for page in pages:
        quota.grant_acquire(page)
    template = Template.from_stack(stack)
    acquirers = template.find_resources(
        "AWS::Lambda::Function", {"Properties": {"Handler": "quota_dispatcher.acquirer.handler"}}
    )
    ((acquirer, found),) = acquirers.items()
    for page in pages:
        role: Any = page.role
        policies = template.find_resources(
            "AWS::IAM::Policy",
            {"Properties": {"Roles": [{"Ref": stack.get_logical_id(role.node.default_child)}]}},
        )
        (policy,) = policies.values()
        assert policy["Properties"]["PolicyDocument"]["Statement"] == [
            {"Action": "lambda:InvokeFunction", "Effect": "Allow", "Resource": {"Fn::GetAtt": [acquirer, "Arn"]}}
        ]
        function = template.find_resources("AWS::Lambda::Function")[stack.get_logical_id(page.node.default_child)]
        assert function["Properties"]["Environment"]["Variables"] == {"BREAKWATER_ACQUIRE": {"Ref": acquirer}}
        assert len(function["Properties"]["Layers"]) == 1
    assert "BREAKWATER_QUOTA" in found["Properties"]["Environment"]["Variables"]
    quota.grant_acquire(pages[0], name="crm")
    with pytest.raises(BreakwaterError, match="takes slots by BREAKWATER_CRM_ACQUIRE already"):
        quota.grant_acquire(pages[0], name="crm")
    with pytest.raises(BreakwaterError, match="name='a-b' can't be part of a variable"):
        quota.grant_acquire(pages[0], name="a-b")
    with pytest.raises(BreakwaterError, match=r"function is an Alias\..* a Function that this app creates"):
        quota.grant_acquire(lambda_.Alias(stack, "Live", alias_name="live", version=pages[0].current_version))
    with pytest.raises(BreakwaterError, match="a Function that this app creates"):
        quota.grant_acquire(lambda_.Function.from_function_name(stack, "Theirs", "theirs"))


def test_producers_may_send_to_all_that_they_are_to_send_to(stack: cdk.Stack, code: dict[str, Any]) -> None:
    producer = lambda_.Function(stack, "Producer", **code)
    quota = QuotaThrottledInvocation(stack, "Crm", function=caller(stack, code), tiers=TIERS, priority=True)
    quota.grant_send(producer)
    statements = [
        statement
        for policy in Template.from_stack(stack).find_resources("AWS::IAM::Policy").values()
        if "ProducerServiceRole" in json.dumps(policy["Properties"]["Roles"])
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]
    assert "sqs:SendMessage" in json.dumps(statements)
    assert quota.priority_queue is not None
    for queue in (quota.queue, quota.priority_queue):
        assert stack.get_logical_id(queue.node.default_child) in json.dumps(statements)


def test_in_order_means_fifo_from_end_to_end(stack: cdk.Stack, code: dict[str, Any]) -> None:
    QuotaThrottledInvocation(stack, "Crm", function=caller(stack, code), tiers=TIERS, ordered=True)
    template = Template.from_stack(stack)
    template.resource_properties_count_is("AWS::SQS::Queue", {"FifoQueue": True}, 3)
    template.resource_count_is("AWS::SQS::Queue", 4)


@pytest.mark.parametrize("context", [{"aws:cdk:disable-asset-staging": False}])
def test_the_asset_holds_the_dispatcher_and_nothing_else(stack: cdk.Stack, code: dict[str, Any]) -> None:
    QuotaThrottledInvocation(stack, "Crm", function=caller(stack, code), tiers=TIERS)
    app = stack.node.root
    assert isinstance(app, cdk.App)
    directory = Path(app.synth().directory)
    modules = {path.name for path in handler_directory("quota_dispatcher").glob("*.py")}
    assets = [
        {str(file.relative_to(asset)) for file in asset.rglob("*")}
        for asset in directory.glob("asset.*")
        if asset.is_dir()
    ]
    assert {"quota_dispatcher", *(f"quota_dispatcher/{module}" for module in modules)} in assets


@pytest.mark.parametrize("variant", [{"ordered": True}, {"lanes": 2, "priority": True, "quota_name": "crm"}])
def test_every_nag_pack_passes(code: dict[str, Any], variant: dict[str, Any], tmp_path: Path) -> None:
    app = cdk.App(outdir=str(tmp_path))
    stack = cdk.Stack(app, "Stack")
    quota = QuotaThrottledInvocation(stack, "Crm", function=caller(stack, code), tiers=TIERS, **variant)
    topic = sns.Topic.from_topic_arn(stack, "Pager", "arn:aws:sns:eu-central-1:123456789012:pager")
    action: Any = cloudwatch_actions.SnsAction(topic)
    quota.alarms(action)
    quota.grant_acquire(lambda_.Function(stack, "Page", **code))
    cloudwatch.Dashboard(stack, "Dashboard").add_widgets(*quota.dashboard_widgets())
    packs: list[Any] = [
        cdk_nag.AwsSolutionsChecks(app),
        cdk_nag.ServerlessChecks(app),
        cdk_nag.HIPAASecurityChecks(app),
        cdk_nag.NIST80053R5Checks(app),
        cdk_nag.PCIDSS321Checks(app),
    ]
    Validations.of(app).add_plugins(*packs)
    with pytest.raises(RuntimeError):  # the user's function in this test is not clean, and that proves the packs ran
        app.synth()
    report = json.loads((tmp_path / "validation-report.json").read_text())
    found = {
        (violation["ruleName"], place["constructPath"])
        for pack in report["pluginReports"]
        for violation in pack["violations"]
        for place in violation["violatingConstructs"]
    }
    assert not [finding for finding in found if "/Crm/" in finding[1]]
    assert {path.split("/")[1] for _, path in found} == {"Caller", "Page"}


def test_cfn_lint_finds_nothing(stack: cdk.Stack, code: dict[str, Any], tmp_path: Path) -> None:
    options: dict[str, Any] = {"priority": True, "quota_name": "crm"}
    quota = QuotaThrottledInvocation(stack, "Crm", function=caller(stack, code), tiers=TIERS, **options)
    cloudwatch.Dashboard(stack, "Dashboard").add_widgets(*quota.dashboard_widgets())
    quota.alarms()
    (tmp_path / "template.json").write_text(json.dumps(Template.from_stack(stack).to_json()))
    # W3005: CDK itself names dependencies that are implied.
    command = [str(Path(sys.executable).parent / "cfn-lint"), "-i", "W3005", "--", str(tmp_path / "template.json")]
    lint = subprocess.run(command, capture_output=True, text=True, check=False)
    assert lint.returncode == 0, lint.stdout


@pytest.mark.parametrize(
    ("tier", "words"),
    [
        ({"limit": 0, "period": Duration.seconds(1)}, r"given 0\). Give 1, or a whole number above it"),
        ({"limit": 10**15 + 1, "period": Duration.seconds(1)}, "limit=1000000000000001 is out of range.*000 at most"),
        ({"limit": cdk.Lazy.number(_Five()), "period": Duration.seconds(1)}, r"limit is a token .* known at synth"),
        ({"limit": 1.5, "period": Duration.seconds(1)}, "given 1.5"),
        ({"limit": 1, "period": Duration.millis(500)}, "period=500 millis is too short"),
        ({"limit": 1, "period": Duration.minutes(7), "start": "calendar"}, "period=7 minutes does not fit"),
        ({"limit": 1, "period": Duration.days(1), "start": "midnight"}, "start='midnight'"),
        ({"limit": 1, "period": Duration.days(1), "time_zone": "UTC"}, "time_zone='UTC'"),
        ({"limit": 1, "period": Duration.days(1), "counted": "start"}, "counted='start'"),
        ({"limit": 1, "period": Duration.days(1), "counted": "arrival"}, "arrives_within=None"),
        (
            {"limit": 1, "period": Duration.days(1), "arrives_within": Duration.seconds(1)},
            "arrives_within=1 second contra",
        ),
        (
            {
                "limit": 1,
                "period": Duration.days(1),
                "start": "calendar",
                "counted": "arrival",
                "arrives_within": Duration.seconds(1),
            },
            "for rolling tiers",
        ),
        ({"limit": 1, "period": Duration.days(1), "start": "calendar", "time_zone": "Moon/Base"}, "Moon/Base"),
        *(
            (
                {"limit": 1, "period": Duration.days(1), "start": "calendar", "time_zone": zone},
                f"zone='{zone}' is no pl",
            )
            for zone in ("../passwd", "localtime", "Factory", "posixrules", "posix/UTC", "right/UTC", "./UTC", "UTC/")
        ),
    ],
)
def test_a_tier_that_nobody_can_grant_is_refused(tier: dict[str, Any], words: str) -> None:
    with pytest.raises(BreakwaterError, match=words):
        QuotaTier(**tier)


@pytest.mark.parametrize(
    ("zones", "period", "words"),
    [
        (
            ("America/Los_Angeles", "Europe/Zurich"),
            Duration.days(1),
            r"holds in both.*limit=8, period=.*minutes\(1560\)",
        ),
        ((None, "Europe/Zurich"), Duration.days(30), r"clocks of UTC and Europe/Zurich.*minutes\(44760\)"),
        (("US/Pacific", "America/Los_Angeles"), Duration.days(1), "Keep the lower one"),
        (("America/Los_Angeles", "Asia/Kathmandu"), Duration.minutes(5), "Keep the lower one"),
    ],
)
def test_two_calendars_of_the_same_period_are_refused_with_what_holds_in_both(
    stack: cdk.Stack, code: dict[str, Any], zones: tuple[str | None, str], period: Duration, words: str
) -> None:
    tiers = [
        QuotaTier(limit=limit, period=period, start="calendar", time_zone=zone)
        for limit, zone in zip((10, 8), zones, strict=True)
    ]
    with pytest.raises(BreakwaterError, match=words):
        QuotaThrottledInvocation(stack, "Crm", function=caller(stack, code), tiers=tiers)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tiers": []}, "no tiers"),
        ({"tiers": [TIERS[0], QuotaTier(limit=9, period=Duration.seconds(1))]}, "same period"),
        ({"lanes": 33}, "lanes=33"),
        ({"removal_policy": cdk.RemovalPolicy.SNAPSHOT}, "removal_policy is .*SNAPSHOT.* Give .*DESTROY, RET"),
        ({"parallelism": 0}, "parallelism must be .* at least 1"),
        ({"max_attempts": 0}, "max_attempts must be .* at least 1"),
    ],
)
def test_a_quota_that_cannot_be_kept_is_refused(
    stack: cdk.Stack, code: dict[str, Any], options: dict[str, Any], words: str
) -> None:
    with pytest.raises(BreakwaterError, match=words):
        QuotaThrottledInvocation(stack, "Crm", **{"function": caller(stack, code), "tiers": TIERS, **options})


def test_lanes_fit_into_the_environment_or_are_refused(code: dict[str, Any]) -> None:
    def largest(lanes: int, ordered: bool, name: str) -> int:
        stack = cdk.Stack(cdk.App(), name, env=cdk.Environment(account="123456789012", region="ap-southeast-1"))
        QuotaThrottledInvocation(
            stack, "Crm", function=caller(stack, code), tiers=TIERS, lanes=lanes, ordered=ordered, priority=True
        )
        sizes = []
        for function in Template.from_stack(stack).find_resources("AWS::Lambda::Function").values():
            variables = function["Properties"].get("Environment", {}).get("Variables", {})
            sizes.append(sum(len(key) + written(value, name) for key, value in variables.items()))
        return max(sizes)

    assert 3_500 < largest(32, False, "Shop") <= 4_096
    assert 3_500 < largest(14, True, "Shop") <= 4_096
    for lanes, ordered, name in ((17, True, "Shop"), (32, True, "Shop"), (24, False, "S" * 60)):
        with pytest.raises(
            BreakwaterError, match=r"/Crm: its settings .* of them its \d+ queues, and Lambda takes 4,096. Use fewer l"
        ):
            largest(lanes, ordered, name)


def test_what_takes_the_room_is_named(stack: cdk.Stack, code: dict[str, Any]) -> None:
    weighed = [QuotaTier(limit=9, period=Duration.seconds(number), weight="x" * 256) for number in range(1, 20)]
    with pytest.raises(BreakwaterError, match=r"5,\d+ of them its tiers, and .* a shorter name of their weight"):
        QuotaThrottledInvocation(stack, "Crm", function=caller(stack, code), tiers=weighed)
    options: dict[str, Any] = {"key": "$." + "k" * 4_000, "key_tiers": TIERS, "tiers": TIERS}
    with pytest.raises(BreakwaterError, match=r"4,\d+ of them its key, and .* shorter path to the key"):
        QuotaThrottledInvocation(stack, "Erp", function=lambda_.Function(stack, "Other", **code), **options)


def written(value: Any, stack: str) -> int:
    """Return how long a variable is once CloudFormation has named what it refers to."""
    if isinstance(value, str):
        return len(value)
    if "Fn::Join" in value:
        return sum(written(part, stack) for part in value["Fn::Join"][1])
    if "Ref" in value and value["Ref"].startswith("AWS::"):
        return len("ap-southeast-1")
    if "Fn::GetAtt" in value:
        name = value["Fn::GetAtt"][0]
        service = "sqs:ap-southeast-1" if "Queues" in name else "lambda:ap-southeast-1:function"
        return len(f"arn:aws:{service}:123456789012:") + min(80, len(stack) + len(name) + 14)
    return len("https://sqs.ap-southeast-1.amazonaws.com/123456789012/") + min(80, len(stack) + len(value["Ref"]) + 14)


def test_a_function_that_may_outlive_its_dispatcher_is_refused(stack: cdk.Stack, code: dict[str, Any]) -> None:
    with pytest.raises(BreakwaterError, match="826 s at most"):
        QuotaThrottledInvocation(stack, "Crm", function=caller(stack, code, 827), tiers=TIERS)
    imported = lambda_.Function.from_function_name(stack, "Imported", "elsewhere")
    with pytest.raises(BreakwaterError, match="timeout of Stack/Imported is unknown"):
        QuotaThrottledInvocation(stack, "Crm2", function=imported, tiers=TIERS)


def test_a_plain_function_gets_the_runtime_and_one_that_has_it_keeps_its_own(
    stack: cdk.Stack, code: dict[str, Any]
) -> None:
    QuotaThrottledInvocation(stack, "Crm", function=caller(stack, code), tiers=TIERS)
    own = RuntimeLayer(stack, "Own", runtime=lambda_.Runtime.PYTHON_3_14)
    other = lambda_.Function(stack, "Other", **code, timeout=Duration.seconds(3), layers=[own])
    QuotaThrottledInvocation(stack, "Erp", function=other, tiers=TIERS)
    functions = Template.from_stack(stack).find_resources("AWS::Lambda::Function")
    layers = {name: function["Properties"].get("Layers", []) for name, function in functions.items()}
    assert [len(found) for name, found in layers.items() if name.startswith(("Caller", "Other"))] == [1, 1]
    assert layers[stack.get_logical_id(other.node.default_child)] == [
        {"Ref": stack.get_logical_id(own.node.default_child)}
    ]


def test_a_second_quota_of_a_function_is_refused(stack: cdk.Stack, code: dict[str, Any]) -> None:
    function = caller(stack, code)
    QuotaThrottledInvocation(stack, "Crm", function=function, tiers=TIERS)
    with pytest.raises(BreakwaterError, match="Stack/Caller stands behind Stack/Crm already"):
        QuotaThrottledInvocation(stack, "Again", function=function, tiers=TIERS)


def test_the_example_synthesizes() -> None:
    example = Path(__file__).parents[3] / "examples" / "quota_throttled_invocation.py"
    directory = Path(run_path(str(example))["app"].synth().directory)
    resources = json.loads((directory / "Shipping.template.json").read_text())["Resources"]
    assert sum(resource["Type"] == "AWS::SQS::Queue" for resource in resources.values()) == 6
