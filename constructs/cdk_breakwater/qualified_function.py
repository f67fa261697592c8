"""Aliases and versions, and the function behind them: concurrency is reserved for a function as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_


def unqualified(function: lambda_.IFunction | lambda_.Function) -> lambda_.IFunction:
    """Return the function behind an alias or a version; a function as it is."""
    found: Any = function
    if hasattr(found, "alias_name"):
        found = found.version
    # `lambda_`, since `lambda` is a keyword: what a version is a version of.
    return cast("lambda_.IFunction", found.lambda_ if hasattr(found, "lambda_") else found)
