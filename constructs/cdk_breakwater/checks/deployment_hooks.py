"""Functions that deployments call while they go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .answers import Block, Items
from .event_source import function_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .answers import Answer
    from .assembly import Assembly
    from .resource import Resource
    from .template import Template

# Sources: AWS CloudFormation User Guide, "UpdatePolicy attribute" (CodeDeployLambdaAliasUpdate) and "Perform ECS
# blue/green deployments through CodeDeploy" (a template's Hooks).
_OF_AN_ALIAS = ("BeforeAllowTrafficHook", "AfterAllowTrafficHook")


def is_deployment_hook(function: Resource) -> bool:
    """Tell whether CodeDeploy calls a function before or after it shifts traffic."""
    assembly = function.template.assembly
    return function in assembly.choices.cached("deployment hooks", lambda: set(_hooks(assembly)))


def _hooks(assembly: Assembly) -> Iterator[Resource]:
    for alias in assembly.resources("AWS::Lambda::Alias"):
        policy = alias.template.resolve(alias.body.get("UpdatePolicy"))
        if isinstance(policy, Block):
            for name in _OF_AN_ALIAS:
                yield from _functions(alias.template, policy.get("CodeDeployLambdaAliasUpdate", name))
    for template in assembly.templates:
        hooks = template.resolve(template.body.get("Hooks"))
        if isinstance(hooks, Block):
            for hook in hooks.names():
                events = hooks.get(hook, "Properties", "LifecycleEventHooks")
                if isinstance(events, Block):
                    for event in events.names():
                        yield from _functions(template, events.get(event))


def _functions(template: Template, answer: Answer) -> Iterator[Resource]:
    for each in answer if isinstance(answer, Items) else (answer,):
        named = function_of(template.assembly.names.resource(template, each, "AWS::Lambda::Function"))
        if named is not None:
            yield named
