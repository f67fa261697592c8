"""The log groups that the constructs make where the user brings none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_logs as logs

from .nag import acknowledge, compliance_rules

if TYPE_CHECKING:
    from constructs import Construct


def make_log_group(scope: Construct, id: str) -> logs.LogGroup:
    """Make a log group that keeps a month."""
    log_group = logs.LogGroup(scope, id, retention=logs.RetentionDays.ONE_MONTH)
    acknowledge(
        log_group,
        "CloudWatch Logs encrypts at rest with a key of its own; a customer's key is the app's choice.",
        *compliance_rules("CloudWatchLogGroupEncrypted"),
    )
    return log_group
