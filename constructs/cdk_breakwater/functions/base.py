"""The defaults that every function of this library has, whatever it connects to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from .._cdk.log_groups import make_log_group
from .._cdk.nag import acknowledge, compliance_rules
from .._cdk.options import require_known_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_cloudwatch as cloudwatch
    from constructs import Construct

    from ..monitoring.alarm_target import AlarmTarget

DEFAULT_TIMEOUT = Duration.seconds(30)
# Half a vCPU lies at 884 MB; below a quarter, loading a driver and a TLS handshake take longer than most statements.
# Source: AWS Lambda Developer Guide, "Configure Lambda function memory": one vCPU at 1,769 MB, in proportion.
_MEMORY_MIB = 512


class PreparedFunction(lambda_.Function):
    """A `lambda_.Function` with a log group and a role of its own, tracing, and the runtime's layer and settings.

    Not made directly: the database functions, `DataApiFunction` and the functions of a quota are such.

    Parameters
    ----------
    scope, id
        Where it stands in the construct tree.
    layer
        The runtime layer, or None for a runtime that has none; the user's own layers come first.
    settings
        Environment variables for `breakwater_runtime`; the user's own win.
    options
        The props of `lambda_.Function` that the user gave.
    fixed
        The props of `lambda_.Function` that are not the user's to give.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        layer: lambda_.ILayerVersion | None,
        settings: Mapping[str, str],
        options: Mapping[str, Any],
        fixed: Mapping[str, Any],
    ) -> None:
        require_known_options(f"{scope.node.path}/{id}", options, type(self), lambda_.Function)
        log_group = None
        if not options.get("log_group") and not options.get("log_retention"):
            log_group = make_log_group(scope, f"{id}Logs")
        role = options.get("role") or _role(scope, id)
        merged: dict[str, Any] = {
            "tracing": lambda_.Tracing.ACTIVE,
            "memory_size": _MEMORY_MIB,
            **({"log_group": log_group} if log_group else {}),
            **options,
            **fixed,
            "role": role,
            "layers": [*(options.get("layers") or []), *([layer] if layer else [])],
            "timeout": options.get("timeout") or DEFAULT_TIMEOUT,
            "environment": {**settings, **(options.get("environment") or {})},
        }
        super().__init__(scope, id, **merged)
        if log_group is not None:
            log_group.grant_write(role)
        _acknowledge(self, role)

    def alarms(self, topic_or_action: AlarmTarget | None = None) -> list[cloudwatch.Alarm]:
        """Add alarms, once: it ends with errors; Lambda refuses it; the concurrency is at its share for 15 minutes.

        Not the latter for a function that a queue or stream feeds: call it after that was made.

        Parameters
        ----------
        topic_or_action
            Whom they call. Default: nobody, they show in the console.
        """
        from .alarms import function_alarms

        return function_alarms(self, topic_or_action)

    def widgets(self) -> list[cloudwatch.IWidget]:
        """Return widgets: concurrency against the share, duration against the timeout, the runtime's connections."""
        from .alarms import function_widgets

        return function_widgets(self)


def _role(scope: Construct, id: str) -> iam.IRole:
    principal = cast("iam.IPrincipal", iam.ServicePrincipal("lambda.amazonaws.com"))
    return cast("iam.IRole", iam.Role(scope, f"{id}Role", assumed_by=principal))


def _acknowledge(function: PreparedFunction, role: iam.IRole) -> None:
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
