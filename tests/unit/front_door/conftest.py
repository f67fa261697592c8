"""Whose jobs come by the doors."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_


@pytest.fixture
def function(stack: cdk.Stack, code: dict[str, Any]) -> lambda_.Function:
    return lambda_.Function(stack, "Worker", reserved_concurrent_executions=10, **code)
