"""Each parameter, given what it does not take: an error with path, parameter and remedy, from our own look at it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk import aws_sqs as sqs

from cdk_breakwater import (
    BreakwaterError,
    ConnectionBudget,
    DatabaseCredentials,
    DatabaseEngine,
    DecoupledInvocation,
    Downstream,
    InvocationSource,
    QuotaThrottledInvocation,
    QuotaTier,
    ThrottledApi,
    VpcDatabaseFunction,
    breakwater_dashboard,
)

VALUES: dict[str, Any] = {
    "None": None,
    "object": object(),
    "text": "Db",
    "number as text": "5",
    "empty": "",
    "zero": 0,
    "negative": -1,
    "broken": 2.5,
    "NaN": math.nan,
    "infinite": math.inf,
    "huge": 10**30,
    "list": [1],
    "token": None,  # of each test's own
}
ANY = set(VALUES)
GIVEN = ANY - {"None"}
TRUTHY = GIVEN - {"zero", "empty"}
WHOLE = GIVEN - {"huge"}
ABOVE_ZERO = WHOLE - {"broken"}
RATE = ABOVE_ZERO
TEXT = ANY - {"text", "number as text"}
# what each parameter does not take
PARAMETERS: list[tuple[str, str, set[str]]] = [
    ("function", "database", ANY),
    ("function", "vpc", ANY),
    ("function", "code", ANY),
    ("function", "handler", TEXT - {"empty"}),
    ("function", "runtime", ANY),
    ("function", "vpc_subnets", GIVEN),
    ("function", "credentials", GIVEN),
    ("function", "share_weight", ABOVE_ZERO),
    ("function", "concurrency", WHOLE),
    ("function", "connections_per_environment", WHOLE),
    ("function", "reserve_concurrency", GIVEN),
    ("function", "verify_at_deploy", GIVEN),
    ("function", "overlap", GIVEN),
    ("function", "drivers", GIVEN),
    ("function", "proxy", GIVEN),
    ("function", "timeout", TRUTHY),
    ("function", "layers", TRUTHY),
    ("function", "environment", TRUTHY),
    ("function", "log_group", TRUTHY),
    ("function", "dead_letter_queue", TRUTHY),
    ("function", "dead_letter_topic", TRUTHY),
    ("function", "environment_encryption", TRUTHY),
    ("function", "code_signing_config", TRUTHY),
    ("function", "profiling_group", TRUTHY),
    ("function", "on_failure", TRUTHY),
    ("function", "on_success", TRUTHY),
    ("function", "role", TRUTHY),
    ("connect", "concurrency", WHOLE),
    ("connect", "share_weight", ABOVE_ZERO),
    ("connect", "credentials", GIVEN),
    ("connect", "drivers", GIVEN),
    ("connect", "overlap", GIVEN),
    ("connect", "vpc", GIVEN),
    ("budget", "max_connections", WHOLE),
    ("budget", "external_connections", WHOLE - {"zero"}),
    ("budget", "utilization", ANY),
    ("share", "name", TEXT),
    ("share", "weight", ABOVE_ZERO),
    ("share", "concurrency", WHOLE),
    ("endpoint", "host", TEXT),
    ("endpoint", "engine", ANY),
    ("endpoint", "max_connections", WHOLE),
    ("endpoint", "port", GIVEN - {"token"}),
    ("endpoint", "secret", GIVEN),
    ("endpoint", "security_group", GIVEN),
    ("endpoint", "database_name", TEXT - {"None"}),
    ("endpoint", "pooler", GIVEN),
    ("decoupled", "function", ANY),
    ("decoupled", "source", GIVEN),
    ("sqs", "queue", GIVEN),
    ("sqs", "fifo", GIVEN),
    ("sqs", "expected_duration", GIVEN),
    ("sqs", "max_batching_window", GIVEN),
    ("sqs", "content_based_deduplication", GIVEN),
    ("sqs", "encryption_key", GIVEN),
    ("sqs", "filters", GIVEN),
    ("sqs", "filter_encryption", GIVEN),
    ("sqs", "dead_letter_alarm", GIVEN),
    ("sqs", "replaces_event_source", GIVEN),
    ("sqs", "batch_size", WHOLE),
    ("sqs", "max_receive_count", WHOLE),
    ("kinesis", "stream", GIVEN),
    ("kinesis", "consumer", GIVEN),
    ("kinesis", "expected_duration", GIVEN),
    ("kinesis", "starting_position", GIVEN),
    ("kinesis", "tumbling_window", GIVEN),
    ("kinesis", "max_record_age", GIVEN),
    ("kinesis", "on_failure", GIVEN),
    ("kinesis", "filters", GIVEN),
    ("kinesis", "encryption_key", GIVEN),
    ("kinesis", "replaces_event_source", GIVEN),
    ("kinesis", "shard_count", WHOLE),
    ("kinesis", "batch_size", WHOLE),
    ("kinesis", "parallelization_factor", WHOLE),
    ("kinesis", "retry_attempts", WHOLE - {"zero"}),
    ("dynamodb", "table", ANY),
    ("dynamodb", "max_batching_window", GIVEN),
    ("dynamodb", "on_failure", GIVEN),
    ("api", "function", ANY),
    ("api", "expected_duration", GIVEN),
    ("api", "rate_limit", RATE),
    ("api", "burst_limit", WHOLE),
    ("api", "acknowledge_no_authorization", TEXT - {"None"}),
    ("api", "proxy", ANY),
    ("api", "refuse", ANY),
    ("api", "protocol", ANY),
    ("api", "rate_limit_per_address", RATE | {"huge"}),
    ("limit", "function", ANY),
    ("limit", "expected_duration", GIVEN),
    ("route", "method", ANY),
    ("route", "path", ANY),
    ("route", "function", GIVEN),
    ("route", "expected_duration", GIVEN),
    ("route", "rate_limit", RATE),
    ("route", "burst_limit", WHOLE),
    ("client", "name", TEXT),
    ("client", "rate_limit", RATE | {"None"}),
    ("client", "burst_limit", WHOLE),
    ("client", "quota", GIVEN),
    ("door", "path", TEXT - {"token"} | {"empty"}),
    ("door", "max_body", TRUTHY),
    ("door", "order_by", GIVEN - {"empty"}),
    ("door", "partition_key", TEXT - {"None"}),
    ("door", "result_ttl", TRUTHY),
    ("door", "retry_after", TRUTHY),
    ("door", "rate_limit", RATE),
    ("door", "burst_limit", WHOLE),
    ("door", "results_concurrency", WHOLE | {"None"}),
    ("quota", "function", ANY),
    ("quota", "tiers", ANY),
    ("quota", "ordered", ANY),
    ("quota", "priority", ANY),
    ("quota", "lanes", ANY),
    ("quota", "max_attempts", ANY),
    ("quota", "parallelism", GIVEN),
    ("quota", "removal_policy", ANY),
    ("tier", "limit", ANY),
    ("tier", "period", ANY),
    ("tier", "start", ANY),
    ("tier", "time_zone", GIVEN),
    ("tier", "counted", ANY),
    ("tier", "arrives_within", GIVEN),
    ("alarms", "topic_or_action", GIVEN),
    ("dashboard", "constructs", ANY),
    ("user", "name", TEXT),
    ("user", "grants", ANY),
    ("user", "administrator", GIVEN),
    ("user", "removal_policy", GIVEN),
    ("secret", "secret", ANY),
    ("iam", "user", TEXT),
    ("iam", "administrator", GIVEN),
]

LOGINS: dict[str, tuple[Callable[..., DatabaseCredentials], dict[str, Any]]] = {
    "user": (DatabaseCredentials.user, {"grants": []}),
    "secret": (DatabaseCredentials.secret, {}),
    "iam": (DatabaseCredentials.iam, {"user": "orders"}),
}
SOURCES: dict[str, Callable[..., InvocationSource]] = {
    "sqs": InvocationSource.sqs,
    "kinesis": InvocationSource.kinesis,
    "dynamodb": InvocationSource.dynamodb_stream,
}


def call(maker: str, number: int, stack: cdk.Stack, right: dict[str, Any], options: dict[str, Any]) -> None:
    """Call what a user calls, with one argument that is wrong."""
    id_, database, vpc, code = f"Orders{number}", right["database"], right["vpc"], right["code"]
    if maker == "function":
        VpcDatabaseFunction(stack, id_, **{"database": database, "vpc": vpc, **code, **options})
    elif maker == "connect":
        Downstream.of(database).connect(lambda_.Function(stack, id_, vpc=vpc, **code), **options)
    elif maker in LOGINS:
        make, needed = LOGINS[maker]
        name = {"name": id_} if maker == "user" else {}
        credentials = make(**{**name, **needed, **options})
        VpcDatabaseFunction(stack, id_, database=database, vpc=vpc, credentials=credentials, **code)
    elif maker == "dashboard":
        breakwater_dashboard(stack, id_, **options)
    elif maker == "budget":
        ConnectionBudget(stack, id_, **{"max_connections": 100, **options})
    elif maker == "share":
        ConnectionBudget.of(database).share(**{"name": id_, **options})
    elif maker == "endpoint":
        arguments = {"host": "db.example.net", "engine": DatabaseEngine.MYSQL, "max_connections": 100, **options}
        Downstream.endpoint(stack, id_, **arguments)
    elif maker == "decoupled":
        function = VpcDatabaseFunction(stack, f"Worker{number}", database=database, vpc=vpc, **code)
        DecoupledInvocation(stack, id_, **{"function": function, **options})
    elif maker in SOURCES:
        function = lambda_.Function(stack, f"Worker{number}", reserved_concurrent_executions=10, **code)
        if maker == "dynamodb" and "table" not in options:
            key = dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING)
            options = {"table": dynamodb.TableV2(stack, f"Table{number}", partition_key=key), **options}
        DecoupledInvocation(stack, id_, function=function, source=SOURCES[maker](**options))
    elif maker == "tier":
        QuotaTier(**{"limit": 10, "period": cdk.Duration.seconds(1), **options})
    else:
        function = VpcDatabaseFunction(stack, f"Worker{number}", database=database, vpc=vpc, **code)
        call_behind(maker, id_, stack, function, options)


def call_behind(maker: str, id_: str, stack: cdk.Stack, function: VpcDatabaseFunction, options: dict[str, Any]) -> None:
    """Call what stands before a function."""
    if maker == "api":
        ThrottledApi(stack, id_, **{"function": function, "rate_limit": 5, **options})
    elif maker == "limit":
        ThrottledApi.limit(apigateway.RestApi(stack, id_), **{"function": function, **options})
    elif maker == "route":
        api = ThrottledApi(stack, id_, function=function, rate_limit=5)
        rate = {} if "expected_duration" in options else {"rate_limit": 1}
        api.add_route(**{"method": "GET", "path": "/orders", **rate, **options})
    elif maker == "client":
        ThrottledApi(stack, id_, function=function, rate_limit=5).add_client(
            **{"name": "partner", "rate_limit": 1, **options}
        )
    elif maker == "door":
        DecoupledInvocation(stack, id_, function=function).add_front_door("Door", **{"path": "orders", **options})
    elif maker == "quota":
        tiers = [QuotaTier(limit=10, period=cdk.Duration.seconds(1))]
        QuotaThrottledInvocation(stack, id_, **{"function": function, "tiers": tiers, **options})
    else:
        function.alarms(**options)


@pytest.mark.parametrize(("maker", "parameter", "refused"), PARAMETERS, ids=[f"{a}-{b}" for a, b, _ in PARAMETERS])
def test_what_a_parameter_does_not_take(
    stack: cdk.Stack,
    vpc: ec2.Vpc,
    database: rds.DatabaseInstance,
    code: dict[str, Any],
    maker: str,
    parameter: str,
    refused: set[str],
) -> None:
    right = {"database": database, "vpc": vpc, "code": code}
    wrong = []
    for number, name in enumerate(sorted(refused)):
        value = cdk.Token.as_number(cdk.Fn.import_value("Number")) if name == "token" else VALUES[name]
        try:
            call(maker, number, stack, right, {parameter: value})
        except BreakwaterError as error:
            placed = error.path.startswith(("Stack/", "QuotaTier", "DatabaseCredentials."))
            told = placed and error.remedy and parameter.removeprefix("share_") in error.problem
            if not told:
                wrong.append(f"{name}: {error}")
        except Exception as error:
            wrong.append(f"{name}: {type(error).__name__}: {error}")
        else:
            wrong.append(f"{name}: taken")
    assert wrong == []


def test_a_queue_is_no_source(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    function = VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code)
    queue: Any = sqs.Queue(stack, "Queue")
    with pytest.raises(BreakwaterError, match=r"Stack/Jobs: source is a Queue\. .*InvocationSource\.sqs\(queue\)"):
        DecoupledInvocation(stack, "Jobs", function=function, source=queue)


def test_routes_and_clients_of_one_name(
    stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
) -> None:
    function = VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code)
    api = ThrottledApi(stack, "Api", function=function, rate_limit=5)
    api.add_route("GET", "/orders", rate_limit=1)
    api.add_route("POST", "/orders", rate_limit=1)
    with pytest.raises(BreakwaterError, match=r"Stack/Api: it has GET /orders already\. Give it once"):
        api.add_route("get", "/orders", rate_limit=2)
    with pytest.raises(BreakwaterError, match=r"Stack/Api: it has ANY /\{proxy\+\} already"):
        api.add_route("ANY", "/{proxy+}", rate_limit=2)
    api.add_client("partner", rate_limit=1)
    with pytest.raises(BreakwaterError, match=r"Stack/Api: it has client 'partner' already\. Give it once"):
        api.add_client("partner", rate_limit=2)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("memory_size", "512", "memory_size is '512'. Give a number."),
        ("description", 5, "description is 5. Give a text."),
        ("tracing", "Active", "tracing is 'Active'. Give a Tracing."),
        ("profiling", "yes", "profiling is 'yes'. Give True or False."),
        ("architecture", "arm64", "architecture is 'arm64'. Give an Architecture."),
        ("security_groups", 5, "security_groups is 5. Give a list of ISecurityGroup."),
    ],
)
def test_what_jsii_says_of_an_option_is_said_in_words(
    stack: cdk.Stack,
    vpc: ec2.Vpc,
    database: rds.DatabaseInstance,
    code: dict[str, Any],
    option: str,
    value: Any,
    said: str,
) -> None:
    with pytest.raises(BreakwaterError) as refused:
        VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code, **{option: value})
    assert str(refused.value) == f"Stack/Orders: {said}"
