"""The two functions of a front door: one hands out results, one notes what failed for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Duration, Stack
from aws_cdk import aws_lambda as lambda_

from .._cdk.nag import acknowledge, compliance_rules
from ..functions.base import PreparedFunction
from ..layers.handler_code import handler_code

if TYPE_CHECKING:
    from constructs import Construct

TIMEOUT = Duration.seconds(10)
_MIB = 512


def make_function(
    scope: Construct, id: str, *, handler: str, variable: str, settings: dict[str, object], reserved: int | None = None
) -> PreparedFunction:
    """Make a function whose code is the library's own, and which stands in no VPC.

    Parameters
    ----------
    scope, id
        The parent construct, and the id of this one within it.
    handler
        The module within `handlers/front_door`.
    variable, settings
        The environment variable that holds its settings, and these.
    reserved
        Its concurrency. Default: its event source limits it.
    """
    function = PreparedFunction(
        scope,
        id,
        layer=None,
        settings={variable: Stack.of(scope).to_json_string(settings)},
        options={"timeout": TIMEOUT, "memory_size": _MIB},
        fixed={
            **handler_code("front_door", f"{handler}.handler"),
            "runtime": lambda_.Runtime.PYTHON_3_14,
            "architecture": lambda_.Architecture.ARM_64,
            "reserved_concurrent_executions": reserved,
        },
    )
    acknowledge(
        function,
        "It calls AWS services only, by TLS and IAM, so a VPC would add nothing.",
        *compliance_rules("LambdaInsideVPC"),
    )
    if reserved is None:
        acknowledge(function, "Its event source limits it.", *compliance_rules("LambdaConcurrency"))
    return function
