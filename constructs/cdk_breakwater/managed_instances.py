"""Functions on Lambda Managed Instances, where one execution environment serves several requests at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Stack
from aws_cdk import aws_lambda as lambda_

from .errors import BreakwaterError
from .lazy import lazy_number

if TYPE_CHECKING:
    from .connection_share import ConnectionShare

# Sources: AWS Lambda Developer Guide, "Lambda Managed Instances" and "Scaling Lambda Managed Instances": three
# environments are started unless a smaller minimum is set. The CDK leaves 10 requests per environment where nothing is
# given (CapacityProviderFunctionOptions).
_DEFAULT_MINIMUM = 3
_DEFAULT_CONCURRENCY = 10


def requests_per_environment(resource: lambda_.CfnFunction) -> int | None:
    """Tell how many requests an environment serves at once; None for a function that is not on managed instances."""
    # Not the L1's attribute, which jsii may take for an empty struct.
    config = Stack.of(resource).resolve(resource._cfn_properties.get("capacityProviderConfig"))
    if not config:
        return None
    managed = config["lambdaManagedInstancesCapacityProviderConfig"]
    return int(managed.get("perExecutionEnvironmentMaxConcurrency", _DEFAULT_CONCURRENCY))


def limit_environments(resource: lambda_.CfnFunction, share: ConnectionShare, requests: int) -> None:
    """Cap the execution environments so that environments x requests stay within a share.

    Python runs a process per request (AWS Lambda Developer Guide, "Python runtime for Lambda Managed Instances"), so
    each of them counts as one environment of the ordinary kind does.

    Parameters
    ----------
    resource
        The function, with a capacity provider.
    share
        Its share, which becomes large enough for the environments that are always there.
    requests
        What `requests_per_environment` tells.

    Raises
    ------
    BreakwaterError
        When the function has a maximum already, or the share is fixed below what the minimum of environments needs.
    """
    given = Stack.of(resource).resolve(resource._cfn_properties.get("functionScalingConfig")) or {}
    if given.get("maxExecutionEnvironments") is not None:
        raise BreakwaterError(
            resource,
            f"it has MaxExecutionEnvironments={given['maxExecutionEnvironments']} already.",
            "Remove that, or pass environments x requests as budget.share(…, concurrency=…).",
        )
    minimum = given.get("minExecutionEnvironments")
    share.require(
        requests * max(1, int(minimum or 1)), f"{requests} requests per execution environment of a managed instance"
    )

    def environments() -> int:
        return share.resolve() // requests

    resource.function_scaling_config = lambda_.CfnFunction.FunctionScalingConfigProperty(
        max_execution_environments=lazy_number(environments),
        # Or else three are started, whatever the maximum is.
        min_execution_environments=minimum or lazy_number(lambda: min(_DEFAULT_MINIMUM, environments())),
    )
