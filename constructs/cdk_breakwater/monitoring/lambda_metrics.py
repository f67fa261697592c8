"""Metrics of Lambda that several constructs draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .alarms import PERIOD

if TYPE_CHECKING:
    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_lambda as lambda_


def concurrency(function: lambda_.IFunction | lambda_.Function) -> cloudwatch.Metric:
    """Return how many invocations run at once, to be read as a maximum."""
    return function.metric("ConcurrentExecutions", statistic="max", period=PERIOD)
