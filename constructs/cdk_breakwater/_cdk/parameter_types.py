"""What a parameter accepts, for type checkers and editors.

Classes stand beside their interfaces: in the eyes of a type checker a class of jsii implements none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TypeAlias

    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_cloudwatch_actions as actions
    from aws_cdk import aws_iam as iam
    from aws_cdk import aws_kms as kms
    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_lambda_event_sources as event_sources
    from aws_cdk import aws_secretsmanager as secretsmanager
    from aws_cdk import aws_sns as sns

    AlarmAction: TypeAlias = (
        actions.ApplicationScalingAction
        | actions.AutoScalingAction
        | actions.Ec2Action
        | actions.LambdaAction
        | actions.SnsAction
        | actions.SsmAction
        | actions.SsmIncidentAction
        | cloudwatch.IAlarmAction
    )
    FailureDestination: TypeAlias = (
        event_sources.S3OnFailureDestination | event_sources.SnsDlq | event_sources.SqsDlq | lambda_.IEventSourceDlq
    )
    Function: TypeAlias = lambda_.Alias | lambda_.Function | lambda_.IFunction | lambda_.Version
    Key: TypeAlias = kms.IKey | kms.Key
    Role: TypeAlias = iam.IRole | iam.Role
    Secret: TypeAlias = secretsmanager.ISecret | secretsmanager.Secret | secretsmanager.SecretTargetAttachment
    Topic: TypeAlias = sns.ITopic | sns.Topic
