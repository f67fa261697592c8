"""Lambda refuses a second mapping of one source and function, wherever it was made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import Stack
from aws_cdk import aws_lambda as lambda_

if TYPE_CHECKING:
    from .buffer import Buffer


def second_mapping_errors(invocation: Buffer) -> list[str]:
    """Look for another mapping when all are there, since `add_event_source` may come after the invocation."""
    own: Any = invocation.event_source_mapping.node.default_child
    return [
        f"{other.node.path} has {invocation.function.node.path} read the same source, and Lambda refuses a "
        "second mapping of one pair. Keep that one, with max_concurrency=share.concurrency, and leave this "
        "invocation out; or remove that one and give the source replaces_event_source=True, by which this mapping "
        "keeps the other's logical id."
        for other in invocation.node.root.node.find_all()
        if isinstance(other, lambda_.CfnEventSourceMapping)
        and other.node.path != own.node.path
        and _pair(other) == _pair(own)
    ]


def _pair(mapping: lambda_.CfnEventSourceMapping) -> tuple[str, str, str]:
    # A reference names a resource within its stack alone, and a function's mappings stand in the function's.
    stack = Stack.of(mapping)
    return stack.node.path, repr(stack.resolve(mapping.event_source_arn)), _function(stack, mapping)


def _function(stack: Stack, mapping: lambda_.CfnEventSourceMapping) -> str:
    """Return the function's name: Lambda takes its ARN as well."""
    found: Any = stack.resolve(mapping.function_name)
    match found:
        case {"Fn::GetAtt": [str(name), "Arn"]}:
            return repr({"Ref": name})
        case _:
            return repr(found)
