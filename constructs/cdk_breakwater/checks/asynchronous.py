"""What calls a function without waiting for its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .answers import Block, Items
from .callers import mentions
from .event_source import function_of

if TYPE_CHECKING:
    from .resource import Resource

# Sources: AWS Lambda Developer Guide, "Invoking a Lambda function asynchronously", and the pages of each service.
_TYPES = (
    "AWS::Events::Rule",
    "AWS::Scheduler::Schedule",
    "AWS::IoT::TopicRule",
    "AWS::SES::ReceiptRule",
    "AWS::S3::Bucket",
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
    if resource.type == "AWS::Events::Rule":
        targets = resource.items("Targets")
        names = resource.template.assembly.names
        return any(
            function_of(names.resource(resource.template, target.get("Arn"), "AWS::Lambda::Function")) is function
            for target in (targets if isinstance(targets, Items) else ())
            if isinstance(target, Block)
        )
    return resource.type in _TYPES
