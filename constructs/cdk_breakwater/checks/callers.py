"""What calls a function, and so how many of it may run at once."""

from __future__ import annotations

from collections import defaultdict
from enum import Enum
from typing import TYPE_CHECKING, Any

from .answers import ABSENT, Reference
from .deployment_hooks import is_deployment_hook
from .intrinsics import variables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .assembly import Assembly
    from .resource import Resource
    from .template import Template


class Caller(Enum):
    """What calls a function."""

    CUSTOM_RESOURCE = "a custom resource"
    DEPLOYMENT = "a deployment"
    ROTATION = "the rotation of a secret"
    SCHEDULE = "a schedule"
    OTHER = "anything else"


# These mention a function, and call it only on behalf of what is listed elsewhere.
NO_CALLERS = (
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Logs::LogGroup",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::IAM::Role",
    "AWS::IAM::Policy",
    "AWS::IAM::ManagedPolicy",
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::SecurityGroupIngress",
    "AWS::SSM::Parameter",
    "AWS::CodeDeploy::DeploymentGroup",
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::KMS::Key",
)
_BY_TYPE = {
    "AWS::CloudFormation::CustomResource": Caller.CUSTOM_RESOURCE,
    "AWS::CloudFormation::LambdaHook": Caller.DEPLOYMENT,
    "AWS::CloudFormation::Macro": Caller.DEPLOYMENT,
    "AWS::ECS::Service": Caller.DEPLOYMENT,  # by DeploymentConfiguration.LifecycleHooks
    "AWS::SecretsManager::RotationSchedule": Caller.ROTATION,
    "AWS::Scheduler::Schedule": Caller.SCHEDULE,
}
QUALIFIERS = ("AWS::Lambda::Alias", "AWS::Lambda::Version")


def callers(function: Resource) -> set[Caller]:
    """Tell what calls a function: nothing where the templates don't tell."""
    cached = function.template.assembly.choices.cached
    return cached(("callers", function), lambda: _callers(function, {function}))


def called_rarely(function: Resource) -> bool:
    """Tell whether it is called by deployments and rotations alone, which call it one at a time."""
    found = callers(function)
    return bool(found) and found <= {Caller.CUSTOM_RESOURCE, Caller.DEPLOYMENT, Caller.ROTATION}


def called_by_schedule(function: Resource) -> bool:
    """Tell whether nothing but schedules, deployments and rotations call it."""
    found = callers(function)
    return Caller.SCHEDULE in found and Caller.OTHER not in found


def mentions(assembly: Assembly) -> dict[Resource, list[Resource]]:
    """Give who mentions each resource, in any world: both branches of a condition count."""
    return assembly.choices.once("mentions", lambda: _mentions(assembly))


def _callers(function: Resource, seen: set[Resource]) -> set[Caller]:
    found = {Caller.DEPLOYMENT} if is_deployment_hook(function) else set()
    for resource in mentions(function.template.assembly).get(function, ()):
        if resource in seen:
            continue
        seen.add(resource)
        if resource.type in QUALIFIERS:
            found |= _callers(resource, seen)
        elif resource.type == "AWS::Lambda::Function":
            found |= _callers(resource, seen) or {Caller.OTHER}
        elif (caller := _caller(resource)) is not None:
            found.add(caller)
    return found


def _caller(resource: Resource) -> Caller | None:
    if resource.type.startswith("Custom::"):
        return Caller.CUSTOM_RESOURCE
    if resource.type in _BY_TYPE:
        return _BY_TYPE[resource.type]
    if resource.type == "AWS::Events::Rule":
        scheduled = resource.get("ScheduleExpression") is not ABSENT and resource.get("EventPattern") is ABSENT
        return Caller.SCHEDULE if scheduled else Caller.OTHER
    if resource.type == "AWS::Lambda::Permission":
        return _principal(resource)
    return None if resource.type in NO_CALLERS else Caller.OTHER


def _principal(permission: Resource) -> Caller | None:
    principal = permission.get("Principal")
    if principal == "secretsmanager.amazonaws.com":
        return Caller.ROTATION
    if principal == "cloudformation.amazonaws.com":
        return Caller.CUSTOM_RESOURCE
    # A rule is a resource of its own, which says whether it is a schedule.
    rule = permission.get("SourceArn")
    return None if principal == "events.amazonaws.com" and isinstance(rule, Reference) else Caller.OTHER


def _mentions(assembly: Assembly) -> dict[Resource, list[Resource]]:
    found: defaultdict[Resource, list[Resource]] = defaultdict(list)
    for template in assembly.templates:
        for resource in template.resources.values():
            for mentioned in set(_named_in(template, resource.body.get("Properties"), 60)):
                if mentioned is not resource:
                    found[mentioned].append(resource)
    return dict(found)


def _named_in(template: Template, value: Any, depth: int) -> Iterator[Resource]:
    if depth == 0 or not isinstance(value, (dict, list)):
        return
    if isinstance(value, dict):
        for function in ("Ref", "Fn::GetAtt", "Fn::ImportValue"):
            if function in value:
                answer = template.resolve({function: value[function]})
                if isinstance(answer, Reference):
                    yield answer.resource
        text = value.get("Fn::Sub")
        for name in variables(text[0] if isinstance(text, list) and text and isinstance(text[0], str) else str(text)):
            answer = template.variable(name)
            if isinstance(answer, Reference):
                yield answer.resource
        value = list(value.values())
    for part in value:
        yield from _named_in(template, part, depth - 1)
