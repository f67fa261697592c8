"""The defaults that every function of this library has, whatever it connects to."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from .._cdk.arguments import KEY, Kind, having, require, shown
from .._cdk.log_groups import make_log_group
from .._cdk.nag import acknowledge, compliance_rules
from .._cdk.options import require_known_options
from ..errors import BreakwaterError

if TYPE_CHECKING:
    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_logs as logs
    from constructs import Construct

    from ..monitoring.alarm_target import AlarmTarget

DEFAULT_TIMEOUT = Duration.seconds(30)
# Half a vCPU lies at 884 MB; below a quarter, loading a driver and a TLS handshake take longer than most statements.
# Source: AWS Lambda Developer Guide, "Configure Lambda function memory": one vCPU at 1,769 MB, in proportion.
_MEMORY_MIB = 512


def _are_layers(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(hasattr(each, "layer_version_arn") for each in value)


def _are_variables(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(each, str) for pair in value.items() for each in pair)


_DESTINATION = having("bind", "a destination of aws_cdk.aws_lambda_destinations")
# Those of an interface, which jsii's errors do not name, and those that the CDK takes apart.
_OPTIONS = {
    "layers": Kind("a list of layers", _are_layers),
    "environment": Kind("a dict of texts", _are_variables),
    "role": having("role_arn", "an iam.Role, or an imported one"),
    "log_group": having("log_group_name", "a logs.LogGroup, or an imported one"),
    "dead_letter_queue": having("queue_arn", "an sqs.Queue, or an imported one"),
    "dead_letter_topic": having("topic_arn", "an sns.Topic, or an imported one"),
    "environment_encryption": KEY,
    "code_signing_config": having("code_signing_config_arn", "a lambda_.CodeSigningConfig, or an imported one"),
    "profiling_group": having("profiling_group_name", "a ProfilingGroup, or an imported one"),
    "on_failure": _DESTINATION,
    "on_success": _DESTINATION,
}
# What jsii and its type checks say of an argument.
_ARGUMENT = re.compile(r"type of argument (\w+) must be (.+); got .+ instead")


class PreparedFunction(lambda_.Function):
    """A `lambda_.Function` with a log group and a role of its own, tracing, and the runtime's layer and settings.

    Not made directly: the database functions, `DataApiFunction` and the functions of a quota are such.

    Parameters
    ----------
    scope, id
        The parent construct, and the id of this one within it.
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
        layers, environment = options.get("layers") or [], options.get("environment") or {}
        require(f"{scope.node.path}/{id}", {name: options.get(name) or None for name in _OPTIONS}, _OPTIONS)
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
            "layers": [*layers, *([layer] if layer else [])],
            "timeout": options.get("timeout") or DEFAULT_TIMEOUT,
            "environment": {**settings, **environment},
        }
        _refuse_what_is_no_number(f"{scope.node.path}/{id}", merged)
        try:
            super().__init__(scope, id, **merged)
        except (TypeError, RuntimeError) as refused:
            raise _translated(f"{scope.node.path}/{id}", merged, refused) from refused
        if log_group is not None:
            _let_write(self, role, log_group)
        _acknowledge(self, role)

    def alarms(self, topic_or_action: AlarmTarget | None = None) -> list[cloudwatch.Alarm]:
        """Add alarms, once: the function fails; Lambda throttles it; its concurrency is at its share for 15 minutes.

        A function that reads a queue or stream gets no alarm on its concurrency, so call this after you have added the
        source.

        Parameters
        ----------
        topic_or_action
            The topic or the action of each alarm. Default: none. The alarms are then visible in the console only.
        """
        from .alarms import function_alarms

        return function_alarms(self, topic_or_action)

    def widgets(self) -> list[cloudwatch.IWidget]:
        """Return dashboard widgets: concurrency and its share, duration and timeout, the runtime's connections."""
        from .alarms import function_widgets

        return function_widgets(self)


def _refuse_what_is_no_number(path: str, options: Mapping[str, Any]) -> None:
    """Refuse NaN and infinity, which jsii cannot carry."""
    for name, value in options.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise BreakwaterError(path, f"{name} is {value!r}.", "Give what lambda_.Function takes.")


def _translated(path: str, options: Mapping[str, Any], refused: Exception) -> Exception:
    """Say in our words which option the CDK's class does not take; what else it says stays as it is."""
    text = str(refused).splitlines()[0]
    if found := _ARGUMENT.search(text):
        return BreakwaterError(path, f"{found[1]} is {shown(options.get(found[1]))}.", f"Give {_in_words(found[2])}.")
    if isinstance(refused, TypeError) or text.startswith("Passed to parameter"):
        return BreakwaterError(
            path, f"an option is not what lambda_.Function takes: {text}", "Its docstring says what."
        )
    return refused


def _in_words(types: str) -> str:
    """Write "one of (Sequence[aws_cdk.aws_ec2.ISecurityGroup], NoneType)" as "a list of ISecurityGroup"."""
    inner = types.removeprefix("one of (").removesuffix(")").removesuffix(", NoneType")
    inner = re.sub(r"\b[a-z_][\w.]*\.(?=[A-Z])", "", inner)
    plain = {"int, float": "a number", "int": "a number", "str": "a text", "bool": "True or False"}
    if listed := re.fullmatch(r"Sequence\[(.+)\]", inner):
        return f"a list of {listed[1]}"
    return plain.get(inner) or f"{'an' if inner[:1] in 'AEIOU' else 'a'} {inner}"


def _role(scope: Construct, id: str) -> iam.IRole:
    principal = cast("iam.IPrincipal", iam.ServicePrincipal("lambda.amazonaws.com"))
    return cast("iam.IRole", iam.Role(scope, f"{id}Role", assumed_by=principal))


def _let_write(function: PreparedFunction, role: iam.IRole, log_group: logs.LogGroup) -> None:
    if Stack.of(role) is Stack.of(function) or not isinstance(role, iam.Role):
        log_group.grant_write(role)
        return
    # A grant would stand beside the role, whose stack the function's needs, and refer to a log group of the latter.
    allowed = iam.PolicyStatement(
        actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[log_group.log_group_arn]
    )
    policy = iam.Policy(function, "LogsPolicy", statements=[allowed], roles=[role])
    acknowledge(
        policy, "It is for this function's log group alone, and goes with it.", *compliance_rules("IAMNoInlinePolicy")
    )


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
