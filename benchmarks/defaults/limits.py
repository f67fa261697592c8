"""The limits, and where each stands in a template. Every value is read; what a template leaves out is `unset`."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from cdk_breakwater.checks.assembly import Assembly
    from cdk_breakwater.checks.template import Resource

UNSET = "unset"
# Source: AWS Lambda Developer Guide, "Retain discarded batches": only S3 gets the payload.
_DESTINATIONS = {"AWS::S3::Bucket": "S3: the whole batch", "AWS::SQS::Queue": "SQS: a pointer into the stream"}


class Limit(NamedTuple):
    """A row of the table."""

    name: str
    read: Callable[[Assembly], str]


class Section(NamedTuple):
    """A table: the limits of one stack that every app has."""

    stack: str
    title: str
    limits: list[Limit]


def _get(resource: Resource, *path: str) -> Any:
    """Give a literal as it is written: these templates leave none to the deployment."""
    value: Any = resource.body.get("Properties")
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _only(assembly: Assembly, type_: str) -> Resource:
    (found,) = assembly.resources(type_)
    return found


def _mapping(assembly: Assembly) -> Resource:
    return _only(assembly, "AWS::Lambda::EventSourceMapping")


def _target(resource: Resource, *path: str) -> Resource:
    found = resource.target(*path)
    assert found is not None, f"{resource.name} has no {'.'.join(path)}"
    return found


def _function(assembly: Assembly) -> Resource:
    for mapping in assembly.resources("AWS::Lambda::EventSourceMapping"):
        return _target(mapping, "FunctionName")
    for resource in assembly.resources("AWS::ApiGateway::Method", "AWS::ApiGatewayV2::Integration"):
        for reference in resource.references():
            if reference.resource.type == "AWS::Lambda::Function":
                return reference.resource
    raise LookupError("no function answers")


def _source(assembly: Assembly) -> Resource:
    return _target(_mapping(assembly), "EventSourceArn")


def _dead_letters(assembly: Assembly) -> Resource | None:
    return _source(assembly).target("RedrivePolicy", "deadLetterTargetArn")


def _text(value: Any, unit: str = "") -> str:
    if value is None:
        return UNSET
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}{unit}" if isinstance(value, int | float) else str(value)


def _of_mapping(*path: str, unit: str = "") -> Callable[[Assembly], str]:
    return lambda assembly: _text(_get(_mapping(assembly), *path), unit)


def _of_source(*path: str, unit: str = "") -> Callable[[Assembly], str]:
    return lambda assembly: _text(_get(_source(assembly), *path), unit)


def _days(queue: Resource) -> str:
    seconds = _get(queue, "MessageRetentionPeriod")
    return UNSET if seconds is None else f"{seconds / 86_400:g} d"


def _dead_letter_retention(assembly: Assembly) -> str:
    queue = _dead_letters(assembly)
    return f"{_days(queue)} (source: {_days(_source(assembly))})" if queue else "none"


def _visibility_timeout(assembly: Assembly) -> str:
    seconds, timeout = _get(_source(assembly), "VisibilityTimeout"), _get(_function(assembly), "Timeout")
    return UNSET if seconds is None or timeout is None else f"{seconds:g} s = {seconds / timeout:g} × {timeout:g} s"


def _partial_failures(assembly: Assembly) -> str:
    return _text("ReportBatchItemFailures" in (_get(_mapping(assembly), "FunctionResponseTypes") or []))


def _encryption(assembly: Assembly) -> str:
    source = _source(assembly)
    if _get(source, "KmsMasterKeyId") is not None or "KMS" in json.dumps(_get(source, "StreamEncryption")):
        return "KMS"
    return "SSE-SQS" if _get(source, "SqsManagedSseEnabled") else UNSET


def _transport(assembly: Assembly) -> str:
    policies = [json.dumps(policy.body["Properties"]) for policy in assembly.resources("AWS::SQS::QueuePolicy")]
    denying = sum("aws:SecureTransport" in policy for policy in policies)
    return f"{denying} of {len(list(assembly.resources('AWS::SQS::Queue')))} queues"


def _alarms(assembly: Assembly) -> str:
    found = [
        f"{_get(alarm, 'MetricName') or 'an expression'}, {'with' if _get(alarm, 'AlarmActions') else 'no'} action"
        for alarm in assembly.resources("AWS::CloudWatch::Alarm")
    ]
    return "; ".join(sorted(found)) or "none"


def _destination(assembly: Assembly) -> str:
    found = _mapping(assembly).target("DestinationConfig", "OnFailure", "Destination")
    return _DESTINATIONS[found.type] if found else "none"


def _concurrency(assembly: Assembly) -> str:
    return _text(_get(_function(assembly), "ReservedConcurrentExecutions"))


def _bucket(settings: dict[str, Any], rate: str = "ThrottlingRateLimit", burst: str = "ThrottlingBurstLimit") -> str:
    if settings.get(rate) is None:
        return UNSET
    return f"{settings[rate]:g} per second, burst {settings[burst]:g}"


def _rest_settings(path: str) -> Callable[[Assembly], str]:
    def read(assembly: Assembly) -> str:
        settings = _get(_only(assembly, "AWS::ApiGateway::Stage"), "MethodSettings") or []
        return next((_bucket(setting) for setting in settings if setting["ResourcePath"].endswith(path)), UNSET)

    return read


def _http_settings(route: str | None) -> Callable[[Assembly], str]:
    def read(assembly: Assembly) -> str:
        stage = _only(assembly, "AWS::ApiGatewayV2::Stage")
        settings = _get(stage, "RouteSettings", route) if route else _get(stage, "DefaultRouteSettings")
        return _bucket(settings or {})

    return read


def _client(assembly: Assembly) -> str:
    plan = _only(assembly, "AWS::ApiGateway::UsagePlan")
    return _bucket(_get(plan, "Throttle") or {}, "RateLimit", "BurstLimit")


def _methods(assembly: Assembly) -> list[Resource]:
    return list(assembly.resources("AWS::ApiGateway::Method"))


def _keys(assembly: Assembly) -> str:
    asking = [method for method in _methods(assembly) if _get(method, "ApiKeyRequired")]
    return f"{len(asking)} of {len(_methods(assembly))} methods"


def _retry_after(assembly: Assembly) -> str:
    found = [
        f"{_get(response, 'ResponseType')}: {value.strip(chr(39))} s"
        for response in assembly.resources("AWS::ApiGateway::GatewayResponse")
        if (value := _get(response, "ResponseParameters", "gatewayresponse.header.Retry-After"))
    ]
    return ", ".join(sorted(found)) or "none"


def _access_log(type_: str, property_: str) -> Callable[[Assembly], str]:
    def read(assembly: Assembly) -> str:
        form = _get(_only(assembly, type_), property_, "Format")
        return "none" if form is None else f"JSON, {'with' if '$context.error' in form else 'no'} reason of a refusal"

    return read


def _validator(assembly: Assembly) -> str:
    validators = list(assembly.resources("AWS::ApiGateway::RequestValidator"))
    checked = [name for name in ("Body", "Parameters") if any(_get(v, f"ValidateRequest{name}") for v in validators)]
    return " and ".join(checked).lower() or "none"


def _authorization(type_: str) -> Callable[[Assembly], str]:
    return lambda assembly: ", ".join(sorted({str(_get(it, "AuthorizationType")) for it in assembly.resources(type_)}))


def _reaches(verb: str) -> Callable[[Assembly], str]:
    """Tell the service that a method passes requests on to."""

    def read(assembly: Assembly) -> str:
        for method in _methods(assembly):
            if _get(method, "HttpMethod") == verb:
                uri = json.dumps(_get(method, "Integration", "Uri"))
                service = next(name for name in ("lambda", "sqs") if f":{name}:" in uri)
                templates = json.dumps(_get(method, "Integration", "RequestTemplates"))
                action = re.search(r"(?:Send|Receive|Delete)Message", templates)
                return f"{service} {action[0]}" if action else service
        return "none"

    return read


def _accepted(assembly: Assembly) -> str:
    (post,) = (method for method in _methods(assembly) if _get(method, "HttpMethod") == "POST")
    answer = next(it for it in _get(post, "MethodResponses") if str(it["StatusCode"]).startswith("2"))
    headers = sorted(name.rsplit(".", 1)[1] for name in answer.get("ResponseParameters", {}))
    return ", ".join([str(answer["StatusCode"]), *headers])


def _validated(assembly: Assembly) -> str:
    (post,) = (method for method in _methods(assembly) if _get(method, "HttpMethod") == "POST")
    return _text(_get(post, "RequestValidatorId") is not None)


_STREAM = [
    Limit("ParallelizationFactor", _of_mapping("ParallelizationFactor")),
    Limit("reserved concurrency of the function", _concurrency),
    Limit("MaximumRetryAttempts", _of_mapping("MaximumRetryAttempts")),
    Limit("MaximumRecordAgeInSeconds", _of_mapping("MaximumRecordAgeInSeconds", unit=" s")),
    Limit("BisectBatchOnFunctionError", _of_mapping("BisectBatchOnFunctionError")),
    Limit("partial batch responses", _partial_failures),
    Limit("failure destination", _destination),
    Limit("alarms", _alarms),
]
SECTIONS = [
    Section(
        "Queue",
        "An SQS queue before a function",
        [
            Limit("reserved concurrency of the function", _concurrency),
            Limit("MaximumConcurrency of the mapping", _of_mapping("ScalingConfig", "MaximumConcurrency")),
            Limit("visibility timeout, function timeout", _visibility_timeout),
            Limit("maxReceiveCount", _of_source("RedrivePolicy", "maxReceiveCount")),
            Limit("retention of the dead-letter queue", _dead_letter_retention),
            Limit("partial batch responses", _partial_failures),
            Limit("encryption of the queue", _encryption),
            Limit("nothing but TLS", _transport),
            Limit("alarms", _alarms),
        ],
    ),
    Section(
        "Kinesis",
        "A Kinesis stream of two shards before a function",
        [
            *_STREAM,
            Limit("encryption of the stream", _encryption),
            Limit("retention of the stream", _of_source("RetentionPeriodHours", unit=" h")),
        ],
    ),
    Section("DynamoDb", "The changes of a DynamoDB table before a function", _STREAM),
    Section(
        "Rest",
        "A REST API before a function, with one route and one client",
        [
            Limit("reserved concurrency of the function", _concurrency),
            Limit("stage: rate and burst", _rest_settings("/*")),
            Limit("route: rate and burst", _rest_settings("reports")),
            Limit("client: rate and burst", _client),
            Limit("who leaves the key out is refused", _keys),
            Limit("429 with Retry-After", _retry_after),
            Limit("access log", _access_log("AWS::ApiGateway::Stage", "AccessLogSetting")),
            Limit("request validator", _validator),
            Limit("authorization", _authorization("AWS::ApiGateway::Method")),
        ],
    ),
    Section(
        "Http",
        "An HTTP API before a function, with one route",
        [
            Limit("reserved concurrency of the function", _concurrency),
            Limit("stage: rate and burst", _http_settings(None)),
            Limit("route: rate and burst", _http_settings("GET /reports")),
            Limit("access log", _access_log("AWS::ApiGatewayV2::Stage", "AccessLogSettings")),
            Limit("authorization", _authorization("AWS::ApiGatewayV2::Route")),
        ],
    ),
    Section(
        "FrontDoor",
        "A REST API straight into an SQS queue",
        [
            Limit("POST reaches", _reaches("POST")),
            Limit("POST is answered with", _accepted),
            Limit("GET reaches", _reaches("GET")),
            Limit("request validation on POST", _validated),
            Limit("stage: rate and burst", _rest_settings("/*")),
            Limit("POST: rate and burst", _rest_settings("orders")),
            Limit("429 with Retry-After", _retry_after),
            Limit("access log", _access_log("AWS::ApiGateway::Stage", "AccessLogSetting")),
            Limit("authorization", _authorization("AWS::ApiGateway::Method")),
        ],
    ),
]
