"""What calls a function without waiting for its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .answers import Block, Items, Reference
from .callers import QUALIFIERS, mentions
from .event_source import function_of
from .intrinsics import FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .answers import Answer
    from .resource import Resource
    from .template import Template

# Sources: AWS Lambda Developer Guide, "Invoking a Lambda function asynchronously", and the pages of each service.
_TYPES = (
    "AWS::Events::Rule",
    "AWS::Scheduler::Schedule",
    "AWS::IoT::TopicRule",
    "AWS::SES::ReceiptRule",
    "AWS::S3::Bucket",
    "AWS::Logs::SubscriptionFilter",
    # The CDK's way to set the notifications of a bucket.
    "Custom::S3BucketNotifications",
)
_DEEPEST = 60


def asynchronous_sources(function: Resource) -> list[tuple[Resource, Resource]]:
    """Give the topics' subscriptions, rules, schedules and buckets that call a function.

    Returns
    -------
    list[tuple[Resource, Resource]]
        Each with what it calls: the function itself, an alias or a version of it.
    """
    mentioning = mentions(function.template.assembly)
    called = [function, *(resource for resource in mentioning.get(function, ()) if resource.type in QUALIFIERS)]
    return [
        (resource, target)
        for target in called
        for resource in mentioning.get(target, ())
        if resource.exists and _calls(resource, function)
    ]


def calls_no_other(source: Resource, target: Resource) -> bool:
    """Tell whether a source names its target as a whole, and not as a part of a text that may name a qualifier."""
    return target in _whole(source.template, source.body.get("Properties"), _DEEPEST)


def _whole(template: Template, value: Any, depth: int) -> Iterator[Resource]:
    if isinstance(value, dict) and len(value) == 1 and next(iter(value)) in FUNCTIONS:
        answer = template.resolve(value)
        if isinstance(answer, Reference):
            yield answer.resource
        value = None
        if isinstance(answer, Block):
            value = dict(answer.body)
        elif isinstance(answer, Items):
            value = list(answer.body)
    if depth and isinstance(value, (dict, list)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _whole(template, part, depth - 1)


def _calls(resource: Resource, function: Resource) -> bool:
    if resource.type == "AWS::SNS::Subscription":
        return resource.get("Protocol") == "lambda"
    if resource.type == "AWS::SNS::Topic":
        inline = resource.items("Subscription")
        return isinstance(inline, Items) and any(
            each.get("Protocol") == "lambda" and _function(resource, each.get("Endpoint")) is function
            for each in inline
            if isinstance(each, Block)
        )
    if resource.type == "AWS::Events::Rule":
        targets = resource.items("Targets")
        return resource.get("State") != "DISABLED" and any(
            _function(resource, target.get("Arn")) is function
            for target in (targets if isinstance(targets, Items) else ())
            if isinstance(target, Block)
        )
    if resource.type == "AWS::SES::ReceiptRule":
        actions = resource.items("Rule", "Actions")
        return resource.get("Rule", "Enabled") is not False and not any(
            each.get("LambdaAction", "InvocationType") == "RequestResponse"
            and _function(resource, each.get("LambdaAction", "FunctionArn")) is function
            for each in (actions if isinstance(actions, Items) else ())
            if isinstance(each, Block)
        )
    return resource.type in _TYPES


def _function(resource: Resource, answer: Answer) -> Resource | None:
    names = resource.template.assembly.names
    return function_of(names.resource(resource.template, answer, "AWS::Lambda::Function"))
