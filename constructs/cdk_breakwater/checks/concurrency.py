"""How many environments of a function there may be at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .answers import ABSENT, Absent, Amount, Unknown
from .callers import NO_CALLERS, QUALIFIERS, mentions
from .event_source import sources_of

if TYPE_CHECKING:
    from .resource import Resource

_MANAGED = ("CapacityProviderConfig", "LambdaManagedInstancesCapacityProviderConfig")


def reserved(function: Resource) -> Amount | Absent | Unknown:
    """Give the limit that stands at the function itself.

    On Lambda Managed Instances, that is its environments times the requests that each serves at once (AWS Lambda
    Developer Guide, "Scaling Lambda Managed Instances").
    """
    if function.get(*_MANAGED) is ABSENT:
        return function.limit("ReservedConcurrentExecutions")
    most = function.limit("FunctionScalingConfig", "MaxExecutionEnvironments")
    if isinstance(most, Unknown | Absent):
        return most
    each = function.limit(*_MANAGED, "PerExecutionEnvironmentMaxConcurrency")
    return Unknown() if isinstance(each, Unknown | Absent) else Amount(most * each, most.parameter)


def most_at_once(function: Resource) -> Amount | Absent | Unknown:
    """Give how many there may be: by its own limit, or by those of all that call it.

    That is so where nothing but queues' mappings with a maximum, and Kinesis streams of known shards, call it.
    """
    own = reserved(function)
    return own if own is not ABSENT else _by_callers(function)


def _by_callers(function: Resource) -> Amount | Absent | Unknown:
    calling = _calling(function)
    if not calling or any(resource.type != "AWS::Lambda::EventSourceMapping" for resource in calling):
        return ABSENT
    total = 0.0
    for source in sources_of(function):
        if source.mapping not in calling or not source.enabled:
            continue
        most = source.mapping.limit("ScalingConfig", "MaximumConcurrency")
        if isinstance(most, Unknown):
            return most
        if most is ABSENT:
            return ABSENT
        total += most
    return Amount(total) if total else ABSENT


def _calling(function: Resource) -> set[Resource]:
    """Give what calls a function, by itself or by an alias or a version of it."""
    mentioning = mentions(function.template.assembly)
    found, seen = set(), {function}
    ahead = [function]
    while ahead:
        for resource in mentioning.get(ahead.pop(), ()):
            if resource in seen or not resource.type.startswith("AWS::") or resource.type in NO_CALLERS:
                continue
            seen.add(resource)
            (ahead.append if resource.type in QUALIFIERS else found.add)(resource)
    return found
