"""What `VpcDatabaseFunction` and `PublicSslDatabaseFunction` have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from aws_cdk import Annotations, Duration, Tokenization
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs

from . import runtime_environment as environment
from .acknowledgements import acknowledge, acknowledge_log_group, compliance_rules
from .connection_budget import ConnectionBudget
from .credentials import DatabaseCredentials
from .downstream import Downstream
from .errors import BreakwaterError
from .runtime_layer import RuntimeLayer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from constructs import Construct
    from typing_extensions import Unpack

    from .connection_share import ConnectionShare
    from .function_options import FunctionOptions

_TIMEOUT = Duration.seconds(30)
# Half a vCPU lies at 884 MB; below a quarter, loading a driver and a TLS handshake take longer than most statements.
# Source: AWS Lambda Developer Guide, "Configure Lambda function memory": one vCPU at 1,769 MB, in proportion.
_MEMORY_MIB = 512


class DatabaseFunction(lambda_.Function):
    """A function whose reserved concurrency is its share of a database's connections.

    Not made directly: see `VpcDatabaseFunction` and `PublicSslDatabaseFunction`, which document the props.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        database: Any,
        code: lambda_.Code,
        handler: str,
        runtime: lambda_.Runtime,
        share_weight: float | None,
        concurrency: int | None,
        credentials: DatabaseCredentials | None,
        reserve_concurrency: bool,
        drivers: Sequence[str] | None,
        network: Mapping[str, Any],
        **options: Unpack[FunctionOptions],
    ) -> None:
        path = f"{scope.node.path}/{id}"
        if "reserved_concurrent_executions" in options:
            raise BreakwaterError(
                path,
                f"reserved_concurrent_executions={options['reserved_concurrent_executions']} is given, "
                "and the share of the connections decides it.",
                "Pass concurrency=… for a fixed share, or share_weight=… for a part.",
            )
        downstream = Downstream.of(database)
        credentials = credentials or DatabaseCredentials.of(downstream, path)
        budget = ConnectionBudget.of(downstream)
        share = budget.share(path, weight=share_weight, concurrency=concurrency)
        timeout = options.get("timeout") or _TIMEOUT
        layers = list(options.get("layers") or [])
        if runtime.family == lambda_.RuntimeFamily.PYTHON:
            layers.append(_layer(scope, downstream, runtime, options.get("architecture"), drivers))
        log_group = None
        if not options.get("log_group") and not options.get("log_retention"):
            log_group = _log_group(scope, id)
        role = options.get("role") or _role(scope, id)
        merged: dict[str, Any] = {
            "tracing": lambda_.Tracing.ACTIVE,
            "memory_size": _MEMORY_MIB,
            **({"log_group": log_group} if log_group else {}),
            **options,
            **network,
            "role": role,
            "layers": layers,
            "timeout": timeout,
            "environment": {
                **_settings(downstream, budget, credentials, timeout),
                **(options.get("environment") or {}),
            },
        }
        super().__init__(
            scope,
            id,
            code=code,
            handler=handler,
            runtime=runtime,
            reserved_concurrent_executions=share.concurrency if reserve_concurrency else None,
            **merged,
        )
        self.downstream = downstream
        self.credentials = credentials
        self.share: ConnectionShare = share
        share.bind(cast("lambda_.IFunction", self), reserve=reserve_concurrency)
        if not reserve_concurrency:
            Annotations.of(self).add_warning_v2(
                "cdk-breakwater:concurrency-not-reserved",
                "reserve_concurrency=False: a burst of direct invocations can open more connections than the share "
                "grants. The limits at the sources (MaximumConcurrency, API throttling) stay.",
            )
            acknowledge(self, "reserve_concurrency=False says so.", "Breakwater::DatabaseFunctionConcurrency")
        if log_group is not None:
            log_group.grant_write(role)
        credentials.grant(cast("lambda_.IFunction", self), downstream)
        _acknowledge(self, role)


def _settings(
    downstream: Downstream, budget: ConnectionBudget, credentials: DatabaseCredentials, timeout: Duration
) -> dict[str, str]:
    settings = {
        environment.ENGINE: downstream.engine.runtime_engine,
        environment.HOST: downstream.host,
        environment.PORT: Tokenization.stringify_number(downstream.port),
        environment.MAX_CONNECTIONS: budget.max_connections_token,
        environment.UTILIZATION: str(budget.utilization),
        environment.TLS_CA: "bundled" if downstream.has_certificate_authority else "system",
        environment.FUNCTION_TIMEOUT: str(timeout.to_seconds()),
        **credentials.settings(),
    }
    if downstream.database_name is not None:
        settings[environment.DATABASE] = downstream.database_name
    return {environment.variable(setting): value for setting, value in settings.items()}


def _layer(
    scope: Construct,
    downstream: Downstream,
    runtime: lambda_.Runtime,
    architecture: lambda_.Architecture | None,
    drivers: Sequence[str] | None,
) -> RuntimeLayer:
    if drivers is None:
        drivers = [driver] if (driver := downstream.engine.driver) else []
    return RuntimeLayer.for_function_in(
        scope,
        runtime=runtime,
        architecture=architecture,
        drivers=drivers,
        certificate_authority=downstream.certificate_authority(),
    )


def _role(scope: Construct, id: str) -> iam.IRole:
    principal = cast("iam.IPrincipal", iam.ServicePrincipal("lambda.amazonaws.com"))
    return cast("iam.IRole", iam.Role(scope, f"{id}Role", assumed_by=principal))


def _log_group(scope: Construct, id: str) -> logs.LogGroup:
    log_group = logs.LogGroup(scope, f"{id}Logs", retention=logs.RetentionDays.ONE_MONTH)
    acknowledge_log_group(log_group)
    return log_group


def _acknowledge(function: DatabaseFunction, role: iam.IRole) -> None:
    acknowledge(
        function,
        "Its source or caller keeps what fails: a queue with a dead-letter queue, or a synchronous caller that sees "
        "the error. A DLQ of the function serves asynchronous invocations only.",
        "Serverless-LambdaDLQ",
        *compliance_rules("LambdaDLQ"),
    )
    acknowledge(
        role,
        "X-Ray and the network interfaces of Lambda know no resource-level permissions for these actions.",
        "AwsSolutions-IAM5[Resource::*]",
    )
    acknowledge(
        role,
        "CDK writes a grant as an inline policy of the role it is granted to.",
        *compliance_rules("IAMNoInlinePolicy"),
    )
