"""The props of `lambda_.Function` that the functions of this library pass on, for type checkers and editors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import aws_cdk as cdk
    from aws_cdk import aws_codeguruprofiler as codeguruprofiler
    from aws_cdk import aws_ec2 as ec2
    from aws_cdk import aws_iam as iam
    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_logs as logs
    from aws_cdk import aws_sqs as sqs

    from .._cdk.parameter_types import Key, Role, Topic


class FunctionOptions(TypedDict, total=False):
    """Every prop of `lambda_.Function` but those that a database function derives or asks for itself."""

    max_event_age: cdk.Duration | None
    on_failure: lambda_.IDestination | None
    on_success: lambda_.IDestination | None
    retry_attempts: float | None
    adot_instrumentation: lambda_.AdotInstrumentationConfig | dict[str, Any] | None
    allow_all_ipv6_outbound: bool | None
    allow_all_outbound: bool | None
    allow_public_subnet: bool | None
    application_log_level: str | None
    application_log_level_v2: lambda_.ApplicationLogLevel | None
    architecture: lambda_.Architecture | None
    code_signing_config: lambda_.ICodeSigningConfig | None
    current_version_options: lambda_.VersionOptions | dict[str, Any] | None
    dead_letter_queue: sqs.IQueue | None
    dead_letter_queue_enabled: bool | None
    dead_letter_topic: Topic | None
    description: str | None
    durable_config: lambda_.DurableConfig | dict[str, Any] | None
    environment: Mapping[str, str] | None
    environment_encryption: Key | None
    ephemeral_storage_size: cdk.Size | None
    events: Sequence[lambda_.IEventSource] | None
    filesystem: lambda_.FileSystem | None
    function_name: str | None
    initial_policy: Sequence[iam.PolicyStatement] | None
    insights_version: lambda_.LambdaInsightsVersion | None
    ipv6_allowed_for_dual_stack: bool | None
    layers: Sequence[lambda_.ILayerVersion] | None
    log_format: str | None
    logging_format: lambda_.LoggingFormat | None
    log_group: logs.ILogGroup | None
    log_removal_policy: cdk.RemovalPolicy | None
    log_retention: logs.RetentionDays | None
    log_retention_retry_options: lambda_.LogRetentionRetryOptions | dict[str, Any] | None
    log_retention_role: Role | None
    memory_size: float | None
    params_and_secrets: lambda_.ParamsAndSecretsLayerVersion | None
    profiling: bool | None
    profiling_group: codeguruprofiler.IProfilingGroup | None
    recursive_loop: lambda_.RecursiveLoop | None
    role: Role | None
    runtime_management_mode: lambda_.RuntimeManagementMode | None
    security_groups: Sequence[ec2.ISecurityGroup] | None
    snap_start: lambda_.SnapStartConf | None
    system_log_level: str | None
    system_log_level_v2: lambda_.SystemLogLevel | None
    tenancy_config: lambda_.TenancyConfig | None
    timeout: cdk.Duration | None
    tracing: lambda_.Tracing | None
