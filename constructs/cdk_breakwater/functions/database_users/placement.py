"""Where a database function stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from ...layers import runtime_settings as environment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aws_cdk import aws_lambda as lambda_
    from constructs import Construct


class FunctionPlacement(NamedTuple):
    """Where a database function stands, so that what works for it can stand beside it and reach what it reaches."""

    path: str
    scope: Construct
    runtime: lambda_.Runtime
    network: Mapping[str, Any]
    options: Mapping[str, Any]
    reserve_concurrency: bool
    kind: Callable[..., lambda_.Function]
    """What a function beside it is made with."""

    @property
    def database_name(self) -> str | None:
        """The database (schema) that the function's own variables name, if they do."""
        return (self.options.get("environment") or {}).get(environment.variable(environment.DATABASE))
