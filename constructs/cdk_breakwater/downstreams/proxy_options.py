"""The props of `rds.DatabaseProxy` that a database's own proxy passes on, for type checkers and editors."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import Duration
    from aws_cdk import aws_rds as rds


class ProxyOptions(TypedDict, total=False):
    """Every prop of `rds.DatabaseProxy` but those that follow from the database and the functions."""

    borrow_timeout: Duration
    client_password_auth_type: rds.ClientPasswordAuthType
    db_proxy_name: str
    debug_logging: bool
    idle_client_timeout: Duration
    init_query: str
    max_idle_connections_percent: float
    require_tls: bool
    session_pinning_filters: Sequence[rds.SessionPinningFilter]
