"""Slots for functions that call the provider themselves: a function that hands them out, and who may ask it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from .._cdk.arguments import instance_of, require
from .._cdk.environments import require_same_environment
from ..errors import BreakwaterError
from ..layers.runtime_layer import OLDEST_PYTHON, python_version
from ..layers.runtime_settings import ACQUIRE, variable
from .functions import make_function
from .guarded_function import add_runtime

if TYPE_CHECKING:
    from aws_cdk import aws_sqs as sqs
    from constructs import IConstruct

    from .._cdk.parameter_types import Function
    from .invocation import QuotaThrottledInvocation

_ACQUIRER = "Acquirer"
_MIB = 256
_TIMEOUT = Duration.seconds(30)
_ARGUMENTS = {"function": instance_of(lambda_.Function, "a Function that this app creates")}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_METADATA = "cdk-breakwater:acquires"


_BEHIND: dict[Function, list[Function]] = {}
"""By each function that takes slots, those behind the quotas that it takes them of, without which it isn't deployed."""


def let_acquire(
    quota: IConstruct,
    function: Function,
    name: str | None,
    *,
    target: str,
    arn: str,
    behind: Function | None = None,
) -> None:
    """Let a function ask the one that hands out the slots of a quota.

    Parameters
    ----------
    quota, function, name
        As for `QuotaThrottledInvocation.grant_acquire`.
    target, arn
        What the function is told to invoke, and its ARN.
    behind
        The function behind the quota, if this app makes it.

    Raises
    ------
    BreakwaterError
        For another kind of function, another account or Region, a name that is not right or taken, or a function
        without which the one behind the quota isn't deployed.
    """
    require(quota, {"function": function}, _ARGUMENTS, needed=_ARGUMENTS)
    caller = cast("lambda_.Function", function)
    _require_runtime(quota, caller)
    require_same_environment(quota, caller, "it asks for slots in its own account and Region")
    if behind is not None:
        _refuse_a_circle(quota, caller, cast("lambda_.Function", behind))
    if name is not None and not (isinstance(name, str) and _NAME.fullmatch(name)):
        raise BreakwaterError(
            quota, f"name={name!r} can't be part of a variable.", "Use letters, digits and underscores, a letter first."
        )
    key = variable(ACQUIRE, name)
    if any(entry.type == _METADATA and entry.data == key for entry in function.node.metadata):
        raise BreakwaterError(
            quota,
            f"{function.node.path} takes slots by {key} already.",
            'Give each quota of a function a name of its own: grant_acquire(function, name="crm").',
        )
    add_runtime(quota, caller)
    function.node.add_metadata(_METADATA, key)
    if behind is not None:
        _BEHIND.setdefault(function, []).append(behind)
    caller.add_environment(key, target)
    # Not grant_invoke, which adds all versions and aliases.
    caller.add_to_role_policy(iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[arn]))


def _require_runtime(quota: IConstruct, function: lambda_.Function) -> None:
    name = function.runtime.name
    version = python_version(name)
    brings_its_own = name == lambda_.Runtime.FROM_IMAGE.name or name.startswith("provided")
    if not brings_its_own and (version is None or version < OLDEST_PYTHON):
        raise BreakwaterError(
            quota,
            f"{function.node.path} has {name}, and acquire() is for python3.{OLDEST_PYTHON} or newer.",
            "Give it such a runtime, or let it send to the quota's queue.",
        )


def _refuse_a_circle(quota: IConstruct, caller: lambda_.Function, behind: lambda_.Function) -> None:
    path, its = caller.node.path, behind.node.path
    if path == its:
        raise BreakwaterError(
            quota,
            f"{path} stands behind it, and has a slot whenever it is invoked.",
            "Let it call the provider without acquire(), or give other calls another function.",
        )
    if caller.role is not None and behind.role is not None and caller.role.node.path == behind.role.node.path:
        raise BreakwaterError(
            quota,
            f"{path} and {its}, which stands behind it, have the same role {caller.role.node.path}: each would have to "
            "be deployed before the other.",
            "Give each a role of its own.",
        )
    if path in _before(behind):
        raise BreakwaterError(
            quota,
            f"{its}, which stands behind it, takes slots of a quota that {path} stands behind: each would have to be "
            "deployed before the other.",
            "Let one of them send to the other quota's queue.",
        )


def _before(function: Function) -> set[str]:
    """Return the paths of the functions that are deployed before one, since it takes slots of their quotas."""
    earlier = _BEHIND.get(function, [])
    return {each.node.path for each in earlier}.union(*map(_before, earlier))


def acquirer_of(quota: QuotaThrottledInvocation, doorbell: sqs.Queue, environment: dict[str, str]) -> lambda_.Function:
    """Return the function that hands out the slots of a quota, made for whoever asks first."""
    found = quota.node.try_find_child(_ACQUIRER)
    return found if isinstance(found, lambda_.Function) else _make(quota, doorbell, environment)


def _make(quota: QuotaThrottledInvocation, doorbell: sqs.Queue, environment: dict[str, str]) -> lambda_.Function:
    acquirer = make_function(
        quota,
        _ACQUIRER,
        handler="acquirer.handler",
        timeout=_TIMEOUT,
        memory_size=_MIB,
        environment=environment,
        limited_by="The concurrency of its callers limits it",
    )
    # A dispatcher of the release before would take its own clock for wrong whenever a slot is taken.
    acquirer.node.add_dependency(quota.dispatcher)
    quota.table.grant(acquirer, "dynamodb:GetItem", "dynamodb:UpdateItem")
    doorbell.grant(acquirer, "sqs:ListQueueTags")
    return acquirer
