"""Tokens of IAM database authentication."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from breakwater_runtime._aws import ask, client
from breakwater_runtime._secret import unlogged

if TYPE_CHECKING:
    from breakwater_runtime.deadline import Deadline


def iam_token(host: str, port: int, user: str, deadline: Deadline) -> str:
    """Make a token anew, for each connect.

    It lasts 15 minutes (RDS User Guide, "IAM database authentication"), and making one is local arithmetic, but for the
    role's own credentials, which SnapStart's environments fetch from an endpoint.
    """

    def sign() -> str:
        with unlogged():
            return _sign(host, port, user)

    return ask(f"IAM token for {user!r} at {host}", deadline, sign, lambda _: False, answer_seconds=None)


def signer(host: str) -> Any:
    """Return the client that signs for a host."""
    return client("dsql" if ".dsql." in host else "rds")


def _sign(host: str, port: int, user: str) -> str:
    ours = signer(host)
    if ".dsql." in host:  # <cluster>.dsql.<Region>.on.aws, and the Region is part of what is signed
        region = host.partition(".dsql.")[2].partition(".")[0]
        sign = ours.generate_db_connect_admin_auth_token if user == "admin" else ours.generate_db_connect_auth_token
        return sign(Hostname=host, Region=region)
    return ours.generate_db_auth_token(DBHostname=host, Port=port, DBUsername=user)
