"""How a function logs in to a database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import runtime_environment as environment
from .errors import BreakwaterError

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_secretsmanager as secretsmanager

    from .downstream import Downstream


class DatabaseCredentials:
    """A login: a secret with `username` and `password`, or IAM database authentication.

    Made with `DatabaseCredentials.secret` or `DatabaseCredentials.iam`.
    """

    def __init__(self, *, secret: secretsmanager.ISecret | None = None, iam_user: str | None = None) -> None:
        self._secret = secret
        self._iam_user = iam_user

    @staticmethod
    def secret(secret: secretsmanager.ISecret) -> DatabaseCredentials:
        """Log in with a secret of Secrets Manager, in the format of RDS."""
        return DatabaseCredentials(secret=secret)

    @staticmethod
    def iam(user: str) -> DatabaseCredentials:
        """Log in as a database user with an IAM token: no password anywhere.

        The user must exist and be allowed to (`rds_iam` in PostgreSQL, `AWSAuthenticationPlugin` in MySQL). Below
        about 200 new connections per second (RDS User Guide, "IAM database authentication").
        """
        return DatabaseCredentials(iam_user=user)

    @staticmethod
    def of(downstream: Downstream, path: str) -> DatabaseCredentials:
        """Take the database's own secret, the default.

        Raises
        ------
        BreakwaterError
            When it has none, and needs one.
        """
        if downstream.secret is None and downstream.needs_login:
            raise BreakwaterError(
                path,
                f"the database {downstream.construct.node.path} has no secret, and no credentials are given.",
                "Pass credentials=DatabaseCredentials.secret(…) or DatabaseCredentials.iam(user).",
            )
        return DatabaseCredentials(secret=downstream.secret)

    @property
    def needs_secrets_manager(self) -> bool:
        """Whether the function must reach Secrets Manager."""
        return self._secret is not None

    def settings(self) -> dict[str, str]:
        """Return the settings for `breakwater_runtime`; an ARN or a user name, never a password."""
        if self._secret is not None:
            return {environment.SECRET_ARN: self._secret.secret_arn}
        return {} if self._iam_user is None else {environment.AUTH: "iam", environment.USER: self._iam_user}

    def grant(self, function: lambda_.IFunction, downstream: Downstream) -> None:
        """Allow the function to log in so."""
        if self._secret is not None:
            self._secret.grant_read(function)
        elif self._iam_user is not None:
            downstream.grant_connect(function, self._iam_user)
