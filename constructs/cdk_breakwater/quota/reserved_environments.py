"""How many environments are reserved for the function behind a quota: more calls at once would be refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Annotations, Token
from aws_cdk import aws_lambda as lambda_

from .._cdk.rendered import rendered
from ..budgets.share import ConnectionShare

if TYPE_CHECKING:
    from .._cdk.parameter_types import Function
    from .counters import Division
    from .invocation import QuotaThrottledInvocation

_PROPERTY = "ReservedConcurrentExecutions"


def reserved_so_far(function: Function) -> int | None:
    """Return what is reserved, if it is a plain number already.

    It is not rendered: a share that others have yet to join would stay what it is now.
    """
    resource = function.node.default_child
    if not isinstance(resource, lambda_.CfnFunction):
        return None
    reserved = resource.reserved_concurrent_executions
    return None if reserved is None or Token.is_unresolved(reserved) else int(reserved)


def reserved_at_last(function: Function) -> int | None:
    """Return what the template reserves; None for nothing, or what is known at deployment only."""
    resource = function.node.default_child
    if not isinstance(resource, lambda_.CfnFunction):
        return None
    reserved = rendered(resource, _PROPERTY).get(_PROPERTY)
    if isinstance(reserved, (int, float)):
        return int(reserved)
    share = ConnectionShare.of(function)
    # A guard's answer is known at deployment only, and becomes the share.
    return None if reserved is None or share is None else share.resolve()


def annotate_environments(quota: QuotaThrottledInvocation, division: Division, environments: int | None) -> None:
    """Warn of more calls at once than the function has environments."""
    if environments is None:
        return
    remarks, path = Annotations.of(quota), quota.function.node.path
    parallelism = division.within(environments)
    if environments == 0:
        remarks.add_warning_v2(
            "cdk-breakwater:quota-environments",
            f"0 environments are reserved for {path}, so Lambda refuses every invocation: nothing is ever called, and "
            "all messages wait. Reserve some, or none at all (reserved_concurrent_executions=None).",
        )
    elif environments < parallelism:
        remarks.add_warning_v2(
            "cdk-breakwater:quota-environments",
            f"parallelism={parallelism} is more than the {environments} reserved environments of {path}: the rest is "
            f"refused, and tried again now and then. Give parallelism={environments}.",
        )
    elif division.counters > division.most_counters(environments):
        remarks.add_warning_v2(
            "cdk-breakwater:quota-environments",
            f"{division.counters} counters share the {environments} reserved environments of {path}, which were not "
            "known when they were made, and each has a call in flight. "
            f"Give parallelism={environments}, and there are as many counters as suit it.",
        )
