"""The function behind a quota: what it needs, and that nobody else invokes it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from aws_cdk import Annotations
from aws_cdk import aws_lambda as lambda_

from .._cdk.late_validation import validate_at_synth
from ..errors import BreakwaterError
from ..functions.base import PreparedFunction
from ..layers.function_layers import has_runtime_layer
from ..layers.runtime_layer import OLDEST_PYTHON, RuntimeLayer, python_version
from ..limits.aws_lambda import MOST_LAYERS
from .other_invokers import warn_of_other_invokers

if TYPE_CHECKING:
    from constructs import IConstruct

    from .._cdk.parameter_types import Function

_QUOTA = "cdk-breakwater:quota"
"""The key of the metadata by which a function's quota is found."""


def guard_function(quota: IConstruct, function: Function) -> None:
    """Give a function the runtime, and see to it that only its quota invokes it.

    Raises
    ------
    BreakwaterError
        When it stands behind another quota already: a call of one would not count in the other.
    """
    other = next((entry.data for entry in function.node.metadata if entry.type == _QUOTA), None)
    if other is not None:
        raise BreakwaterError(
            quota,
            f"{function.node.path} stands behind {other} already, and each would count only its own calls.",
            "Send both kinds of messages to one quota, or use two functions with a part of the limit each.",
        )
    if isinstance(function, lambda_.Function):
        add_runtime(quota, function)
    function.node.add_metadata(_QUOTA, quota.node.path)
    validate_at_synth(quota, partial(warn_of_other_invokers, quota, function))


def add_runtime(quota: IConstruct, function: lambda_.Function) -> None:
    """Give a plain Python function the layer with the runtime, if it has none.

    Raises
    ------
    BreakwaterError
        When it has as many layers as Lambda takes.
    """
    version = python_version(function.runtime.name)
    if isinstance(function, PreparedFunction) or version is None:
        return
    if version < OLDEST_PYTHON:
        Annotations.of(quota).add_warning_v2(
            "cdk-breakwater:quota-runtime",
            f"{function.node.path} has {function.runtime.name}, and breakwater_runtime needs python3.{OLDEST_PYTHON}: "
            "it gets no layer, so `import breakwater_runtime` fails. Give it a newer runtime, or let it raise errors "
            "of its own whose messages say RetryAfter(30) or QuotaSpent(60).",
        )
        return
    if has_runtime_layer(function):
        return
    layer = RuntimeLayer.for_function_in(function, runtime=function.runtime, architecture=function.architecture)
    try:
        function.add_layers(cast("lambda_.ILayerVersion", layer))
    except RuntimeError as refused:  # what an exception of the CDK becomes
        raise BreakwaterError(
            quota,
            f"the layer with breakwater_runtime cannot be added to {function.node.path}: "
            f"{str(refused).splitlines()[0]}",
            f"Lambda takes {MOST_LAYERS} layers: remove one, or put a RuntimeLayer in the place of one and bundle what "
            "that holds with the function's code.",
        ) from refused
