"""Metrics of Lambda that several constructs draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .alarms import PERIOD

if TYPE_CHECKING:
    from aws_cdk import aws_cloudwatch as cloudwatch

    from .._cdk.parameter_types import Function


def concurrency(function: Function) -> cloudwatch.Metric:
    """Return how many invocations run at once, to be read as a maximum."""
    return function.metric("ConcurrentExecutions", statistic="max", period=PERIOD)
