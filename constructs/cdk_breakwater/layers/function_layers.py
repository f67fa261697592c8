"""Whether a function has a layer with the runtime."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._cdk.references import references
from .runtime_layer import RuntimeLayer

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_


def has_runtime_layer(function: lambda_.Function) -> bool:
    """Tell whether one of a function's layers is a `RuntimeLayer`, as the template will have them."""
    resource: Any = function.node.default_child
    return any(
        isinstance(layer.node.scope, RuntimeLayer) or isinstance(layer, RuntimeLayer)
        for layer in references(resource._cfn_properties.get("layers"), resource)
    )
