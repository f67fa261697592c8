"""Which of the CDK's interfaces a value implements, told by an attribute that the others lack.

jsii's interfaces are Protocols that ``isinstance`` refuses, and what is imported has no class of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aws_cdk import Duration
    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_ec2 as ec2
    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_rds as rds
    from aws_cdk import aws_sns as sns
    from constructs import IConstruct
    from typing_extensions import TypeIs


def is_construct(value: object) -> TypeIs[IConstruct]:
    """Whether it has a place in a construct tree."""
    return hasattr(value, "node")


def is_duration(value: object) -> TypeIs[Duration]:
    """Whether it is a Duration."""
    return hasattr(value, "to_human_string")


def is_topic(value: object) -> TypeIs[sns.ITopic]:
    """Whether it is a topic of SNS."""
    return hasattr(value, "topic_arn")


def is_alarm_action(value: object) -> TypeIs[cloudwatch.IAlarmAction]:
    """Whether it is an action of an alarm."""
    return hasattr(value, "bind")


def is_alias(value: object) -> TypeIs[lambda_.IAlias]:
    """Whether it is an alias of a function."""
    return hasattr(value, "alias_name")


def is_version(value: object) -> TypeIs[lambda_.IVersion]:
    """Whether it is a version of a function; jsii says `lambda_` for what it is a version of."""
    return hasattr(value, "lambda_")


def is_connectable(value: object) -> TypeIs[ec2.IConnectable]:
    """Whether it has security groups."""
    return hasattr(value, "connections")


def is_proxy(value: object) -> TypeIs[rds.IDatabaseProxy]:
    """Whether it is an RDS Proxy."""
    return hasattr(value, "db_proxy_name")


def is_cluster(value: object) -> TypeIs[rds.IDatabaseCluster]:
    """Whether it is a cluster of RDS or DocumentDB; not by its endpoint, which an imported one may lack."""
    return hasattr(value, "cluster_identifier")
