"""What `VpcDatabaseFunction` and `PublicSslDatabaseFunction` have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import BreakwaterError
from .base import PreparedFunction
from .database_connections import DatabaseConnections
from .database_users.placement import FunctionPlacement

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aws_cdk import aws_lambda as lambda_
    from constructs import Construct
    from typing_extensions import Unpack

    from ..budgets.share import ConnectionShare
    from ..downstreams.credentials import DatabaseCredentials
    from ..downstreams.database_types import Database, Proxy
    from .options import FunctionOptions


class DatabaseFunction(PreparedFunction):
    """A function whose reserved concurrency is its share of a database's connections.

    Not made directly: see `VpcDatabaseFunction` and `PublicSslDatabaseFunction`, which document the props.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        database: Database,
        code: lambda_.Code,
        handler: str,
        runtime: lambda_.Runtime,
        share_weight: float | None,
        concurrency: int | None,
        credentials: DatabaseCredentials | None,
        reserve_concurrency: bool,
        drivers: Sequence[str] | None,
        verify_at_deploy: bool,
        proxy: Proxy | bool | None,
        connections_per_environment: int | None = None,
        overlap: bool | None = None,
        network: Mapping[str, Any],
        **options: Unpack[FunctionOptions],
    ) -> None:
        path = f"{scope.node.path}/{id}"
        if "reserved_concurrent_executions" in options:
            raise BreakwaterError(
                path,
                f"reserved_concurrent_executions={options['reserved_concurrent_executions']} is given, "
                "and the share of the connections decides it.",
                "Pass concurrency=… for a fixed share, or share_weight=… for a part.",
            )
        super().__init__(
            scope,
            id,
            layer=None,
            settings={},
            options=options,
            fixed={**network, "code": code, "handler": handler, "runtime": runtime},
        )
        self._database_connections = DatabaseConnections(
            self,
            FunctionPlacement(path, scope, runtime, network, options, reserve_concurrency, self._administrator()),
            drivers=drivers,
            verify_at_deploy=verify_at_deploy,
            overlap=overlap,
        )
        self.downstream, self.credentials, share = self._database_connections.first(
            database,
            credentials,
            share_weight=share_weight,
            concurrency=concurrency,
            connections_per_environment=connections_per_environment,
            proxy=proxy,
        )
        self.share: ConnectionShare = share
        self.database_user = self._database_connections.user

    def _administrator(self) -> Callable[..., lambda_.Function]:
        """Return what works on the database for a deployment, from the same network."""
        raise NotImplementedError
