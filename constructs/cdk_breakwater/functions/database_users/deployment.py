"""What a deployment does on a database before a function uses it, where the function asks for that."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from ...budgets.budget import ConnectionBudget
from ...downstreams.rds import POSTGRESQL_DATABASE
from ...errors import BreakwaterError
from .master_user_notice import note_master_user

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_
    from constructs import IConstruct, IDependable

    from ...budgets.share import ConnectionShare
    from ...downstreams.credentials import DatabaseCredentials
    from ...downstreams.downstream import Downstream
    from .placement import FunctionPlacement
    from .user import DatabaseUser


class DatabaseDeployment:
    """The user that a deployment makes for a function, and its look at the server.

    Parameters
    ----------
    placement
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
    database_name : str or None
        The database (schema) that it uses.
    """

    def __init__(
        self,
        placement: FunctionPlacement,
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
        self.database_name = downstream.database_name
        if credentials.own_login is not None:
            from .user import DatabaseUser

            self.database_name = _database_name(placement, server)
            self.user = DatabaseUser.of(credentials, server, share, placement)
            self.credentials = self.user.credentials
            self._first.append(self.user.resource)
        if verify:
            from .administration import DatabaseAdministration

            administration = DatabaseAdministration.beside(placement, server, credentials, "verify_at_deploy=True")
            self._first.append(administration.verify_max_connections(ConnectionBudget.of(server), placement))

    def run_before(self, function: lambda_.Function) -> None:
        """Let it happen before the function is made or changed, and say what was not asked for."""
        if self._first:
            # The resource alone: its security group is part of what the deployment needs to reach the database.
            resource = cast("IConstruct", function.node.default_child)
            resource.node.add_dependency(*self._first)
        if self._is_master:
            note_master_user(function)


def _database_name(placement: FunctionPlacement, server: Downstream) -> str | None:
    """Name the database of a user that a deployment makes: libpq would take one of the user's own name."""
    if server.database_name is not None or placement.database_name is not None or not server.engine.is_postgresql:
        return server.database_name
    if server.is_rds:
        return POSTGRESQL_DATABASE  # where the grants are made, too
    raise BreakwaterError(
        placement.path,
        f"{server.construct.node.path} has no database_name, and PostgreSQL would take a database of the user's name.",
        "Pass database_name=… to Downstream.endpoint(…).",
    )


def _has_users(downstream: Downstream) -> bool:
    # A secret that was named for an endpoint may be anybody's.
    return downstream.is_rds and (downstream.engine.is_mysql or downstream.engine.is_postgresql)
