"""Whether the variables of a function's databases fit into its environment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import Stack, Token

from .._cdk.rendered import rendered
from ..limits.aws_lambda import ENVIRONMENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Collection

    from aws_cdk import aws_lambda as lambda_

# What CloudFormation appends to a name: a hyphen and 12 characters; Secrets Manager appends 7 more.
_RANDOM = 13
_ARN = len("arn:aws:secretsmanager:ap-southeast-1:123456789012:secret:") + 7
# Source: Amazon RDS User Guide, "Naming constraints": an identifier has 63 characters at most. Behind it stand the
# account's own part and the Region's.
_IDENTIFIER, _DOMAIN = 63, len(".cluster-cabcdefghijk.ap-southeast-1.rds.amazonaws.com")
_PORT = 5
_IMPORTED = 100


def environment_errors(function: lambda_.Function, databases: Collection[str]) -> list[str]:
    """Return an error where a function's variables, as the deployment will know them, exceed what Lambda takes.

    Parameters
    ----------
    function
        Whose they are.
    databases
        The names of its databases.
    """
    resource: Any = function.node.default_child
    variables = rendered(resource, "Environment").get("Environment", {}).get("Variables", {})
    stack = Stack.of(function)
    name = 0 if Token.is_unresolved(stack.stack_name) else len(stack.stack_name)
    size = sum(len(key.encode()) + _length(value, name) for key, value in variables.items())
    if size <= ENVIRONMENT_BYTES:
        return []
    return [
        f"the variables of its {len(databases)} databases and its own make about {size:,} bytes of environment, and "
        f"Lambda takes {ENVIRONMENT_BYTES:,}. Give a further function some of the databases, or keep your own settings "
        "in Parameter Store."
    ]


def _length(value: Any, stack: int) -> int:
    """Return how many bytes a value will have about, one that CloudFormation fills in by what such have."""
    if not isinstance(value, dict):
        return len(str(value).encode())
    if "Fn::Join" in value:
        between, parts = value["Fn::Join"]
        return sum(_length(part, stack) for part in parts) + len(between) * (len(parts) - 1)
    if "Ref" in value:
        return _ARN + len(value["Ref"]) + _RANDOM
    if "Fn::GetAtt" in value:
        logical_id, attribute = value["Fn::GetAtt"]
        if attribute.endswith("Port"):
            return _PORT
        return min(_IDENTIFIER, stack + 1 + len(logical_id) + _RANDOM) + _DOMAIN
    return _IMPORTED
