"""How a function logs in to a database."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from aws_cdk import RemovalPolicy

from .._cdk.arguments import SECRET, TEXT, instance_of, require
from .._cdk.secret_access import grant_secret_read
from ..errors import BreakwaterError
from ..layers import runtime_settings as environment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_secretsmanager as secretsmanager

    from .._cdk.parameter_types import Secret
    from .downstream import Downstream


_KINDS = {
    "name": TEXT,
    "user": TEXT,
    "secret": SECRET,
    "administrator": SECRET,
    "removal_policy": instance_of(RemovalPolicy, "a RemovalPolicy, such as RemovalPolicy.RETAIN"),
}


def _require(method: str, *, needed: tuple[str, ...], **given: object) -> None:
    """Refuse what a login is not made of; which construct it is for is not known yet."""
    require(f"DatabaseCredentials.{method}", given, {name: _KINDS[name] for name in given}, needed=needed)


class OwnLogin(NamedTuple):
    """A database user that deployments make, change and drop."""

    name: str
    grants: Sequence[str]
    iam: bool
    removal_policy: RemovalPolicy | None


class DatabaseCredentials:
    """A login: a secret with `username` and `password`, or IAM database authentication.

    Made with `DatabaseCredentials.user`, `DatabaseCredentials.secret` or `DatabaseCredentials.iam`.
    """

    def __init__(
        self,
        *,
        secret: Secret | None = None,
        iam_user: str | None = None,
        own_login: OwnLogin | None = None,
        administrator: Secret | None = None,
    ) -> None:
        self._secret = cast("secretsmanager.ISecret | None", secret)
        self._iam_user = iam_user
        self.own_login = own_login
        self._administrator = cast("secretsmanager.ISecret | None", administrator)

    @staticmethod
    def user(
        name: str,
        *,
        grants: Sequence[str],
        administrator: Secret | None = None,
        removal_policy: RemovalPolicy | None = None,
    ) -> DatabaseCredentials:
        """Log in as a user of the function's own, which the deployment makes: MySQL, MariaDB, PostgreSQL.

        The server then holds the line as well: it lets the user hold its share of the connections, and what may
        overlap during a deployment, and no more. One credentials object given to several functions is one user.

        Parameters
        ----------
        name
            The user's name. Another name makes another user, before the old one is dropped.
        grants
            What it may do: what stands between GRANT and TO, one object each, such as ``"SELECT, INSERT ON shop.*"``.
            In PostgreSQL, ``shop.*`` is every table of the schema shop, those included that the administrator makes
            later, and a role's name alone is a membership.
        administrator
            The secret of the login that may create users. Default: the database's own.
        removal_policy
            RETAIN leaves user and secret on the database when they leave the app. Default: the user is dropped; in
            PostgreSQL, what it owns becomes the administrator's.
        """
        _require("user", needed=("name",), name=name, administrator=administrator, removal_policy=removal_policy)
        return DatabaseCredentials(own_login=OwnLogin(name, grants, False, removal_policy), administrator=administrator)

    @staticmethod
    def secret(secret: Secret) -> DatabaseCredentials:
        """Log in with a secret of Secrets Manager, in the format of RDS."""
        _require("secret", needed=("secret",), secret=secret)
        return DatabaseCredentials(secret=secret)

    @staticmethod
    def iam(
        user: str,
        *,
        grants: Sequence[str] | None = None,
        administrator: Secret | None = None,
        removal_policy: RemovalPolicy | None = None,
    ) -> DatabaseCredentials:
        """Log in as a database user with an IAM token: no password anywhere.

        Below about 200 new connections per second (RDS User Guide, "IAM database authentication").

        Parameters
        ----------
        user
            The user's name. Without grants, it must exist and be allowed to (`rds_iam` in PostgreSQL,
            `AWSAuthenticationPlugin` in MySQL).
        grants, removal_policy
            As for `DatabaseCredentials.user`: with grants, the deployment makes the user.
        administrator
            As for `DatabaseCredentials.user`; also whom `verify_at_deploy` logs in as.
        """
        _require("iam", needed=("user",), user=user, administrator=administrator, removal_policy=removal_policy)
        own_login = None if grants is None else OwnLogin(user, grants, True, removal_policy)
        return DatabaseCredentials(iam_user=user, own_login=own_login, administrator=administrator)

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

    def is_secret_of(self, downstream: Downstream) -> bool:
        """Whether it is the database's own secret: the master user's."""
        return self._secret is not None and self._secret is downstream.secret

    def administrator(self, downstream: Downstream) -> secretsmanager.ISecret | None:
        """Return the secret of a login that may look at the server, and change it where the user asks for that."""
        return self._administrator or downstream.secret or self._secret

    @property
    def login_secret(self) -> secretsmanager.ISecret | None:
        """The secret it logs in with, if it does."""
        return self._secret

    @property
    def login_user(self) -> str | None:
        """The user it logs in as by IAM, if it does."""
        return self._iam_user

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
            grant_secret_read(self._secret, function)
        elif self._iam_user is not None:
            downstream.grant_connect(function, self._iam_user)
