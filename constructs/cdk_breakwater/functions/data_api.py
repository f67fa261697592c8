"""A function that speaks to Aurora over HTTPS and holds no connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from .._cdk.nag import acknowledge, compliance_rules
from .._cdk.secret_access import grant_secret_read, key_is_elsewhere
from ..errors import BreakwaterError
from ..layers import runtime_settings as environment
from ..layers.runtime_layer import RuntimeLayer
from ..limits.engines import DatabaseEngine
from ..monitoring.dashboard_page import show_with
from .base import PreparedFunction

if TYPE_CHECKING:
    from aws_cdk import aws_rds as rds
    from constructs import Construct
    from typing_extensions import Unpack

    from ..downstreams.database_types import RdsCluster
    from .options import FunctionOptions

# Source: Service Authorization Reference, "Actions defined by Amazon RDS Data API"; not the deprecated ExecuteSql.
_ACTIONS = [
    "rds-data:BatchExecuteStatement",
    "rds-data:BeginTransaction",
    "rds-data:CommitTransaction",
    "rds-data:ExecuteStatement",
    "rds-data:RollbackTransaction",
]
_ENGINES = (DatabaseEngine.AURORA_MYSQL.value, DatabaseEngine.AURORA_POSTGRESQL.value)


class DataApiFunction(PreparedFunction):
    """A `lambda_.Function` outside any VPC that uses Aurora's Data API, for `breakwater_runtime.data_api()`.

    The function holds no connection, so it takes no share of a budget. The Data API is turned on if the cluster belongs
    to this app, unless you turned it off. The function's role allows calls to this cluster and reading its secret, and
    nothing else.

    Parameters
    ----------
    scope, id
        The parent construct, and the id of this one within it.
    cluster
        An `rds.DatabaseCluster` of Aurora, owned, or imported with `data_api_enabled=True` and its secret.
    code, handler, runtime, reserved_concurrent_executions
        As for `lambda_.Function`.
    **options
        Every other prop of `lambda_.Function`, with the defaults that `VpcDatabaseFunction` names.

    Attributes
    ----------
    cluster : rds.IDatabaseCluster
        The cluster.

    Raises
    ------
    BreakwaterError
        When the cluster is not an Aurora cluster, when its Data API is off, when it has no secret, or when a VPC is
        given.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        cluster: RdsCluster,
        code: lambda_.Code,
        handler: str,
        runtime: lambda_.Runtime,
        reserved_concurrent_executions: int | None = None,
        **options: Unpack[FunctionOptions],
    ) -> None:
        path = f"{scope.node.path}/{id}"
        if "vpc" in options:
            raise BreakwaterError(path, "vpc is given.", "The Data API is called over HTTPS; leave it out.")
        _require_aurora(path, cluster)
        layer = None
        if runtime.family == lambda_.RuntimeFamily.PYTHON:
            layer = RuntimeLayer.for_function_in(scope, runtime=runtime, architecture=options.get("architecture"))
        super().__init__(
            scope,
            id,
            layer=cast("lambda_.ILayerVersion | None", layer),
            settings=_settings(cluster),
            options=options,
            fixed={
                "code": code,
                "handler": handler,
                "runtime": runtime,
                "reserved_concurrent_executions": reserved_concurrent_executions,
            },
        )
        self.cluster: rds.IDatabaseCluster = cluster
        show_with(self, cluster)
        _grant(self)
        acknowledge(
            self,
            "The Data API is an endpoint of AWS, called over HTTPS with IAM; nothing of the function is in the VPC.",
            *compliance_rules("LambdaInsideVPC"),
        )
        acknowledge(
            self,
            "The Data API pools the connections itself and throttles, so the function holds none to exhaust.",
            *compliance_rules("LambdaConcurrency"),
        )


def _require_aurora(path: str, cluster: Any) -> None:
    if not hasattr(cluster, "grant_data_api_access"):
        raise BreakwaterError(
            path,
            f"cluster is a {type(cluster).__name__}, which has no Data API.",
            "Pass an rds.DatabaseCluster of Aurora MySQL or Aurora PostgreSQL.",
        )
    where = cluster.node.path
    engine = getattr(cluster, "engine", None)
    if engine is None:
        raise BreakwaterError(path, f"the engine of the cluster {where} is unknown.", "Import it with engine=….")
    if engine.engine_type not in _ENGINES:
        raise BreakwaterError(
            path,
            f"{where} is a cluster of {engine.engine_type}, which has no Data API.",
            "Use VpcDatabaseFunction, or a cluster of Aurora MySQL or Aurora PostgreSQL.",
        )
    if cluster.secret is None:
        raise BreakwaterError(
            path,
            f"the cluster {where} has no secret, and the Data API logs in with one.",
            "Make the cluster with rds.Credentials.from_generated_secret(…), or import it with secret=….",
        )


def _settings(cluster: Any) -> dict[str, str]:
    settings = {environment.RESOURCE_ARN: cluster.cluster_arn, environment.SECRET_ARN: cluster.secret.secret_arn}
    database = getattr(cluster.node.default_child, "database_name", None)
    if database is not None:
        settings[environment.DATABASE] = database
    return {environment.variable(setting): value for setting, value in settings.items()}


def _grant(function: DataApiFunction) -> None:
    cluster: Any = function.cluster
    reader = cast("lambda_.IFunction", function)
    if cluster.node.default_child is not None and key_is_elsewhere(cluster.secret, reader):
        _grant_apart(function, cluster)
        return
    try:
        # It turns the Data API on, too, where the cluster is of this app and has not turned it off.
        cluster.grant_data_api_access(reader)
    except RuntimeError as error:
        if "the Data API is disabled" not in str(error):
            raise
        raise _off(function) from error


def _grant_apart(function: DataApiFunction, cluster: Any) -> None:
    # What the L2's grant does, but for the secret, see `key_is_elsewhere`.
    resource = cluster.node.default_child
    if Stack.of(resource).resolve(resource._cfn_properties.get("enableHttpEndpoint")) is False:
        raise _off(function)
    resource.enable_http_endpoint = True
    iam.Grant.add_to_principal(
        grantee=cast("iam.IGrantable", function), actions=_ACTIONS, resource_arns=[cluster.cluster_arn]
    )
    grant_secret_read(cluster.secret, cast("lambda_.IFunction", function))


def _off(function: DataApiFunction) -> BreakwaterError:
    return BreakwaterError(
        function,
        f"the Data API of the cluster {function.cluster.node.path} is off, or it is imported without saying so.",
        "Leave out enable_data_api=False; or turn it on where the cluster is made and import it with "
        "data_api_enabled=True.",
    )
