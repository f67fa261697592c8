"""Where a value comes from that is known at deployment only: whether two of them will be the same."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from aws_cdk import CfnParameter, Stack, Stage, Token

from .references import references

if TYPE_CHECKING:
    from constructs import IConstruct

_PARAMETER_TYPE = "AWS::SSM::Parameter::Value<"
_DYNAMIC_PARAMETER = re.compile(r"\{\{resolve:ssm:([^:}]+)\}\}")
_OF_THE_STACK = ("Ref", "Fn::GetAtt", "Fn::Sub")


def deployed_value(value: str, scope: IConstruct) -> str | None:
    """Tell where a value comes from, in words that mean the same in each stack of an account and Region.

    An export, a parameter of Systems Manager, or a secret is the same from wherever it is read; each reading of it is
    a token of its own.

    Parameters
    ----------
    value
        Anything.
    scope
        Where it is used.

    Returns
    -------
    str or None
        None for what is known already, and for what only one stack knows, such as an attribute of its resources.
    """
    if not Token.is_unresolved(value):
        return None
    stack = Stack.of(scope)
    found: Any = stack.resolve(value)
    if isinstance(found, dict) and set(found) == {"Ref"}:
        found = _named_parameter(value, scope)
    elif isinstance(found, str) and (dynamic := _DYNAMIC_PARAMETER.fullmatch(found)):
        found = {"ssm": dynamic[1]}
    if found is None or _of_the_stack(found):
        return None
    environment = [stack.environment]
    if Token.is_unresolved(stack.account) or Token.is_unresolved(stack.region):
        # Stages that say nothing of their account are for different ones.
        stage = Stage.of(scope)
        environment.append(stage.node.path if stage is not None else "")
    return json.dumps([environment, found], sort_keys=True)


def _named_parameter(value: str, scope: IConstruct) -> dict[str, str] | None:
    for parameter in references(value, scope):
        if isinstance(parameter, CfnParameter) and parameter.type.startswith(_PARAMETER_TYPE):
            return {"ssm": str(parameter.default)}
    return None


def _of_the_stack(found: Any) -> bool:
    if isinstance(found, dict):
        return any(
            (name in _OF_THE_STACK and not str(inner).startswith("AWS::")) or _of_the_stack(inner)
            for name, inner in found.items()
        )
    return isinstance(found, list) and any(map(_of_the_stack, found))
