"""The logins of the functions behind a database's own RDS Proxy: secrets that it reads, and IAM users."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import Stack

from .._cdk.secret_access import grant_secret_read
from ..errors import BreakwaterError

if TYPE_CHECKING:
    from aws_cdk import aws_iam as iam
    from aws_cdk import aws_rds as rds
    from aws_cdk import aws_secretsmanager as secretsmanager
    from constructs import Construct

    from ..downstreams.credentials import DatabaseCredentials
    from ..downstreams.downstream import Downstream


class ProxyLogins:
    """Who logs in through a proxy; grows with its functions.

    Parameters
    ----------
    database
        What the proxy leads to.
    proxy
        Where the proxy stands.
    role
        What the proxy reads secrets and connects as.
    password_type
        How clients send their password, where the user says it.
    """

    def __init__(
        self,
        database: Downstream,
        proxy: Construct,
        role: iam.Role,
        password_type: rds.ClientPasswordAuthType | None,
    ) -> None:
        self._database = database
        self._proxy = proxy
        self._role = role
        self._password_type = password_type
        self._secrets: dict[secretsmanager.ISecret, None] = {}
        self._users: set[str] = set()

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return bool(self._secrets or self._users)

    def add(self, function: Construct, credentials: DatabaseCredentials) -> None:
        """Add a function's.

        Raises
        ------
        BreakwaterError
            When the secret is in a stack that depends on the proxy's.
        """
        if credentials.login_secret is not None:
            self._add_secret(function, credentials.login_secret)
        elif credentials.login_user is not None and credentials.login_user not in self._users:
            self._users.add(credentials.login_user)
            self._database.grant_connect(self._role, credentials.login_user)

    def auth(self) -> list[dict[str, str]] | None:
        """Return the proxy's property `Auth`."""
        kind: dict[str, str] = (
            {} if self._password_type is None else {"clientPasswordAuthType": self._password_type.value}
        )
        return [
            {"authScheme": "SECRETS", "iamAuth": "DISABLED", "secretArn": secret.secret_arn, **kind}
            for secret in self._secrets
        ] or None

    def default_scheme(self) -> str:
        """Return the proxy's property `DefaultAuthScheme`: IAM from the client to the database, or none."""
        return "IAM_AUTH" if self._users else "NONE"

    def _add_secret(self, function: Construct, secret: secretsmanager.ISecret) -> None:
        if secret in self._secrets:
            return
        mine, its = Stack.of(self._proxy), Stack.of(secret)
        if its is not mine and its is Stack.of(function) and secret.node.default_child is not None:
            raise BreakwaterError(
                function,
                f"the proxy of {self._database.construct.node.path} is in the stack {mine.node.path} and would need "
                f"{secret.node.path} of the stack {its.node.path}, which needs the proxy.",
                "Make the secret in the database's stack, log in with DatabaseCredentials.iam(…), or pass proxy=… with "
                "a proxy of this stack.",
            )
        self._secrets[secret] = None
        grant_secret_read(secret, cast("iam.IRole", self._role))
        if secret.encryption_key is not None:
            secret.encryption_key.grant_decrypt(self._role)
