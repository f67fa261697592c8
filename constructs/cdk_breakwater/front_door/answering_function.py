"""A function that keeps no answers cannot be asked for them: `breakwater_runtime.batch` does, in Python."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from aws_cdk import Annotations
from aws_cdk import aws_lambda as lambda_

from .._cdk.function_qualifiers import unqualified
from .._cdk.late_validation import validate_at_synth
from ..layers.function_layers import has_runtime_layer

if TYPE_CHECKING:
    from constructs import Construct


def warn_of_a_function_that_keeps_none(door: Construct, function: lambda_.IFunction) -> None:
    """Warn of another language, and of a function of Python that does not get the runtime from this library."""
    worker: Any = unqualified(function)
    if isinstance(worker, lambda_.Function):
        # At the end: a layer may be added after the door was made.
        validate_at_synth(door, partial(_warn, door, worker))


def _warn(door: Construct, worker: lambda_.Function) -> None:
    path = worker.node.path
    if worker.runtime.name == lambda_.Runtime.FROM_IMAGE.name:
        missing = f"{path} is a container image, which takes no layer, and breakwater_runtime.batch keeps the answers"
        remedy = "install cdk-breakwater-runtime in it"
    elif worker.runtime.family is not lambda_.RuntimeFamily.PYTHON:
        missing = f"{path} is not of Python, and nothing keeps its answers: a job is told to wait, and then not found"
        remedy = "have it write the table as breakwater_runtime.batch does, or do the jobs in Python"
    elif not has_runtime_layer(worker):
        missing = f"{path} has no layer with breakwater_runtime, whose batch keeps the answers"
        remedy = "add RuntimeLayer to its layers, or bundle the package with its code"
    else:
        return
    Annotations.of(door).add_warning_v2("cdk-breakwater:answers-not-kept", f"{missing}: {remedy}.")
