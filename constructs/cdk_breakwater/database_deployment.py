"""What a deployment does on a database before a function uses it, where the function asks for that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from aws_cdk import Annotations

from . import runtime_environment as environment
from .connection_budget import ConnectionBudget

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_lambda as lambda_
    from constructs import Construct, IConstruct, IDependable

    from .connection_share import ConnectionShare
    from .credentials import DatabaseCredentials
    from .database_user import DatabaseUser
    from .downstream import Downstream

MASTER_USER = "cdk-breakwater:master-user"
"""The id of the annotation on a function that logs in as the master user, to acknowledge it by."""


class Vicinity(NamedTuple):
    """Where a database function stands, so that what works for it can stand beside it and reach what it reaches."""

    path: str
    scope: Construct
    runtime: lambda_.Runtime
    network: Mapping[str, Any]
    options: Mapping[str, Any]
    reserve_concurrency: bool

    @property
    def database_name(self) -> str | None:
        """The database (schema) that the function's own variables name, if they do."""
        return (self.options.get("environment") or {}).get(environment.variable(environment.DATABASE))


class DatabaseDeployment:
    """The user that a deployment makes for a function, and its look at the server.

    Parameters
    ----------
    vicinity
        The function's.
    downstream, share, credentials
        The database, the function's share of it, and the credentials that were given.
    verify
        Whether the server's `max_connections` is compared with the budget's.

    Attributes
    ----------
    user : DatabaseUser or None
        The function's own, if it has one.
    credentials : DatabaseCredentials
        What the function logs in with.
    """

    def __init__(
        self,
        vicinity: Vicinity,
        downstream: Downstream,
        share: ConnectionShare,
        credentials: DatabaseCredentials,
        *,
        verify: bool,
    ) -> None:
        self.user: DatabaseUser | None = None
        self.credentials = credentials
        server = downstream.server
        self._is_master = credentials.is_secret_of(downstream) and _has_users(server)
        self._first: list[IDependable] = []
        if credentials.own_login is not None:
            from .database_user import DatabaseUser

            self.user = DatabaseUser.of(credentials, server, share, vicinity)
            self.credentials = self.user.credentials
            self._first.append(self.user.resource)
        if verify:
            from .database_administration import DatabaseAdministration

            administration = DatabaseAdministration.beside(vicinity, server, credentials, "verify_at_deploy=True")
            self._first.append(administration.verify_max_connections(ConnectionBudget.of(server), vicinity))

    def precede(self, function: lambda_.Function) -> None:
        """Let it happen before the function is made or changed, and say what was not asked for."""
        if self._first:
            # The resource alone: its security group is part of what the deployment needs to reach the database.
            resource = cast("IConstruct", function.node.default_child)
            resource.node.add_dependency(*self._first)
        if self._is_master:
            Annotations.of(function).add_info_v2(
                MASTER_USER,
                "It logs in as the database's master user, who may do everything and whose connections no server "
                "limits. credentials=DatabaseCredentials.user(name, grants=[…]) makes a user of its own at deployment.",
            )


def _has_users(downstream: Downstream) -> bool:
    # A secret that was named for an endpoint may be anybody's.
    return hasattr(downstream, "database") and (downstream.engine.is_mysql or downstream.engine.is_postgresql)
