"""The table of a quota: its counters, and what waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_dynamodb as dynamodb

from .._cdk.nag import acknowledge, compliance_rules

if TYPE_CHECKING:
    from aws_cdk import RemovalPolicy
    from constructs import Construct


def make_table(quota: Construct, removal_policy: RemovalPolicy) -> dynamodb.Table:
    """Make it, without backups."""
    table = dynamodb.Table(
        quota,
        "Table",
        partition_key=dynamodb.Attribute(name="id", type=dynamodb.AttributeType.STRING),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        time_to_live_attribute="expires",
        removal_policy=removal_policy,
    )
    acknowledge(
        table,
        "An older state restored would grant calls of the running periods twice, and make calls twice.",
        "AwsSolutions-DDB3",
        *compliance_rules("DynamoDBPITREnabled", "DynamoDBInBackupPlan"),
    )
    acknowledge(
        table,
        "DynamoDB encrypts at rest with a key of its own, and scales by itself on demand.",
        *compliance_rules("DynamoDBAutoScalingEnabled"),
    )
    return table
