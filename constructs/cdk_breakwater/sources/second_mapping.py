"""Lambda refuses a second mapping of one source and function, wherever it was made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import Stack

from .._cdk.rendered import rendered, rendered_resources

if TYPE_CHECKING:
    from .buffer import Buffer

_TYPE = "AWS::Lambda::EventSourceMapping"
_PAIR = ("EventSourceArn", "FunctionName")


def second_mapping_errors(invocation: Buffer) -> list[str]:
    """Look for another mapping when all are there, since `add_event_source` may come after the invocation."""
    own: Any = invocation.event_source_mapping.node.default_child
    # A reference names a resource within its stack alone, and a function's mappings stand in the function's.
    stack = Stack.of(own)
    pair = _pair(rendered(own, *_PAIR))
    return [
        f"{other.node.path} makes {invocation.function.node.path} read the same source, and Lambda refuses a second "
        "mapping of the same function and source. Keep that mapping, with max_concurrency=share.concurrency, and "
        "remove this invocation. Or remove that mapping and pass replaces_event_source=True to the source, so that "
        "this mapping "
        "keeps the other's logical id."
        for other, properties in rendered_resources(stack, _TYPE, *_PAIR, skipped=[own.node.path])
        if _pair(properties) == pair and Stack.of(other).node.path == stack.node.path
    ]


def _pair(properties: dict[str, Any]) -> tuple[Any, Any]:
    """Return source and function; Lambda takes the function's ARN for its name as well."""
    function = properties.get("FunctionName")
    match function:
        case {"Fn::GetAtt": [str(name), "Arn"]}:
            function = {"Ref": name}
    return properties.get("EventSourceArn"), function
