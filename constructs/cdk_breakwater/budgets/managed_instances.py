"""Functions on Lambda Managed Instances, where one execution environment serves several requests at once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from aws_cdk import aws_lambda as lambda_

from .._cdk.function_qualifiers import qualifiers
from .._cdk.late_validation import validate_at_synth
from .._cdk.lazy import lazy_number
from .._cdk.rendered import rendered
from ..errors import BreakwaterError

if TYPE_CHECKING:
    from collections.abc import Callable

    from constructs import IConstruct

# Sources: AWS Lambda Developer Guide, "Lambda Managed Instances" and "Scaling Lambda Managed Instances": three
# environments are started unless a smaller minimum is set.
_DEFAULT_MINIMUM = 3


def requests_per_environment(resource: lambda_.CfnFunction) -> int | None:
    """Tell how many requests an environment serves at once; None for a function that is not on managed instances.

    Raises
    ------
    BreakwaterError
        When nothing says it. Lambda's default depends on the runtime and the vCPUs: 64 per vCPU for Node.js, for one
        (AWS Lambda Developer Guide, "Node.js runtime for Lambda Managed Instances"); the CDK's docstring says 10.
    """
    config = rendered(resource, "CapacityProviderConfig").get("CapacityProviderConfig")
    if not config:
        return None
    managed = config["LambdaManagedInstancesCapacityProviderConfig"]
    requests = managed.get("PerExecutionEnvironmentMaxConcurrency")
    if not isinstance(requests, (int, float)):
        raise BreakwaterError(
            resource,
            f"the number of requests that an execution environment serves at once is not known (given {requests}).",
            "Pass a number: capacity_provider.add_function(…, per_execution_environment_max_concurrency=…).",
        )
    return int(requests)


def limit_environments(resource: lambda_.CfnFunction, concurrency: Callable[[], int], requests: int) -> int:
    """Cap the execution environments so that environments x requests stay within a share.

    Python runs a process per request (AWS Lambda Developer Guide, "Python runtime for Lambda Managed Instances"), so
    each of them counts as one environment of the ordinary kind does.

    Parameters
    ----------
    resource
        The function, with a capacity provider.
    concurrency
        Returns its share, once that is known.
    requests
        What `requests_per_environment` tells.

    Returns
    -------
    int
        The least that its share must be, for the environments that are always there.

    Raises
    ------
    BreakwaterError
        When the function has a maximum already.
    """
    given = _scaling(resource)
    if given.get("MaxExecutionEnvironments") is not None:
        raise BreakwaterError(
            resource,
            f"it has MaxExecutionEnvironments={given['MaxExecutionEnvironments']} already.",
            "Remove that, or pass environments x requests as budget.share(…, concurrency=…).",
        )
    minimum = given.get("MinExecutionEnvironments")

    def environments() -> int:
        return concurrency() // requests

    validate_at_synth(resource, partial(_uncapped_versions, resource))
    resource.function_scaling_config = lambda_.CfnFunction.FunctionScalingConfigProperty(
        max_execution_environments=lazy_number(environments),
        # Or else three are started, whatever the maximum is.
        min_execution_environments=minimum or lazy_number(lambda: min(_DEFAULT_MINIMUM, environments())),
    )
    return requests * max(1, int(minimum or 1))


def _uncapped_versions(resource: lambda_.CfnFunction) -> list[str]:
    """Find versions without a cap: a function's own is that of `$LATEST.PUBLISHED`: each other scales apart."""
    return [
        f"its version {version.node.path} scales apart from $LATEST.PUBLISHED, and has no "
        "MaxExecutionEnvironments. Invoke the function itself, or set max_execution_environments of the version, "
        "and let it take part with budget.share(…, concurrency=environments x requests)."
        for path, version in qualifiers(resource.node.root, lambda_.CfnVersion)
        if path == resource.node.path and _scaling(version).get("MaxExecutionEnvironments") is None
    ]


def _scaling(resource: IConstruct) -> dict[str, Any]:
    return rendered(resource, "FunctionScalingConfig").get("FunctionScalingConfig", {})
