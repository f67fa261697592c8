"""Numbers of a template that are none, for which CloudFormation refuses it."""

from __future__ import annotations

import math
from numbers import Number
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..checks.resource import Resource
    from ..checks.template import Template

_POOL = "ConnectionPoolConfigurationInfo"
# What the checks and the simulation read. Amazon's references of these resources call each an Integer or a Number.
_NUMBERS = {
    "AWS::Lambda::Function": (("Timeout",), ("MemorySize",), ("ReservedConcurrentExecutions",)),
    "AWS::Lambda::EventSourceMapping": (
        ("BatchSize",),
        ("ScalingConfig", "MaximumConcurrency"),
        ("ParallelizationFactor",),
        ("MaximumRetryAttempts",),
        ("MaximumRecordAgeInSeconds",),
        ("MaximumBatchingWindowInSeconds",),
    ),
    "AWS::SQS::Queue": (
        ("VisibilityTimeout",),
        ("MessageRetentionPeriod",),
        ("DelaySeconds",),
        ("RedrivePolicy", "maxReceiveCount"),
    ),
    "AWS::Kinesis::Stream": (("ShardCount",), ("RetentionPeriodHours",)),
    "AWS::RDS::DBProxyTargetGroup": ((_POOL, "MaxConnectionsPercent"), (_POOL, "ConnectionBorrowTimeout")),
    "AWS::ApiGatewayV2::Stage": (
        ("DefaultRouteSettings", "ThrottlingRateLimit"),
        ("DefaultRouteSettings", "ThrottlingBurstLimit"),
    ),
}
_AMAZONS = "AWS::"
"""Other transforms are macros of one's own, which may make a number of any text."""


class NoNumber(NamedTuple):
    """A property that is to be a number and is none.

    Attributes
    ----------
    resource, path
        Of the property.
    value
        What it is.
    """

    resource: Resource
    path: tuple[str, ...]
    value: object

    @property
    def text(self) -> str:
        """What is wrong with it."""
        return f"{'.'.join(self.path)} of {self.resource.name} is {self.value!r}, and CloudFormation takes a number"


def no_numbers(template: Template) -> Iterator[NoNumber]:
    """Find the literals that are to be numbers and are none."""
    transforms = template.body.get("Transform")
    names = transforms if isinstance(transforms, list) else [transforms] if transforms else []
    if not all(isinstance(name, str) and name.startswith(_AMAZONS) for name in names):
        return
    for resource in template.resources.values():
        for path in _NUMBERS.get(resource.type, ()):
            value: Any = resource.body.get("Properties")
            for name in path:
                value = value.get(name) if isinstance(value, dict) else None
            if _is_no_number(value):
                yield NoNumber(resource, path, value)


def _is_no_number(value: object) -> bool:
    """Tell whether a value is a literal that is no number; a function of CloudFormation's is none."""
    if isinstance(value, dict):
        return not any(str(name) == "Ref" or str(name).startswith("Fn::") for name in value)
    if not isinstance(value, str):
        return (value is not None and not isinstance(value, Number)) or isinstance(value, bool)
    if "{{resolve:" in value:
        return False
    try:
        return not math.isfinite(float(value))
    except ValueError:
        return True
