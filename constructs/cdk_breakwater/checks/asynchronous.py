"""What calls a function without waiting for its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .answers import Block, Items
from .callers import mentions
from .event_source import function_of

if TYPE_CHECKING:
    from .answers import Answer
    from .resource import Resource

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
_QUALIFIERS = ("AWS::Lambda::Alias", "AWS::Lambda::Version")


def asynchronous_sources(function: Resource) -> list[Resource]:
    """Give the topics' subscriptions, rules, schedules and buckets that call a function."""
    assembly = function.template.assembly
    mentioning = list(mentions(assembly).get(function, ()))
    for qualifier in [resource for resource in mentioning if resource.type in _QUALIFIERS]:
        mentioning += mentions(assembly).get(qualifier, ())
    return [resource for resource in mentioning if resource.exists and _calls(resource, function)]


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
    return resource.type in _TYPES


def _function(resource: Resource, answer: Answer) -> Resource | None:
    names = resource.template.assembly.names
    return function_of(names.resource(resource.template, answer, "AWS::Lambda::Function"))
