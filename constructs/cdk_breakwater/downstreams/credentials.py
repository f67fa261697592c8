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
    """A database user that deployments create, change and drop."""

    name: str
    grants: Sequence[str]
    iam: bool
    removal_policy: RemovalPolicy | None


class DatabaseCredentials:
    """How functions log in to a database: a secret (`username` and `password`), or IAM database authentication.

    Create one with `DatabaseCredentials.user`, `DatabaseCredentials.secret` or `DatabaseCredentials.iam`.
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
        """Log in as a database user of the function's own, which the deployment creates (MySQL, MariaDB, PostgreSQL).

        The server then enforces the limit as well: the user can have its share of the connections, plus those that may
        overlap during a deployment. If you pass one credentials object to several functions, they share one user.

        Parameters
        ----------
        name
            The user's name. If you change it, the deployment creates a new user before it drops the old one.
        grants
            Privileges of the user: the text between GRANT and TO, one object each, such as ``"SELECT, INSERT ON
            shop.*"``. In PostgreSQL, ``shop.*`` is every table of the schema shop, including tables that the
            administrator creates later. The name of a role alone makes the user a member of the role.
        administrator
            The secret of a login that may create users. Default: the database's own secret.
        removal_policy
            RETAIN keeps the user and its secret when you remove them from the app. Default: the user is dropped. In
            PostgreSQL, the administrator then owns what the user owned.
        """
        _require("user", needed=("name",), name=name, administrator=administrator, removal_policy=removal_policy)
        return DatabaseCredentials(own_login=OwnLogin(name, grants, False, removal_policy), administrator=administrator)

    @staticmethod
    def secret(secret: Secret) -> DatabaseCredentials:
        """Log in with a secret in Secrets Manager, in the format that RDS uses."""
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
        """Log in as a database user with IAM database authentication, without a password.

        It is meant for fewer than about 200 new connections per second (RDS User Guide, "IAM database authentication").

        Parameters
        ----------
        user
            The user's name. Without grants, the user must already exist and be set up for IAM (`rds_iam` in PostgreSQL,
            `AWSAuthenticationPlugin` in MySQL).
        grants, removal_policy
            As for `DatabaseCredentials.user`. With grants, the deployment creates the user.
        administrator
            As for `DatabaseCredentials.user`. `verify_at_deploy` logs in with it as well.
        """
        _require("iam", needed=("user",), user=user, administrator=administrator, removal_policy=removal_policy)
        own_login = None if grants is None else OwnLogin(user, grants, True, removal_policy)
        return DatabaseCredentials(iam_user=user, own_login=own_login, administrator=administrator)

    @staticmethod
    def of(downstream: Downstream, path: str) -> DatabaseCredentials:
        """Log in with the database's own secret, which is the default.

        Raises
        ------
        BreakwaterError
            When the database has no secret and needs one.
        """
        if downstream.secret is None and downstream.needs_login:
            raise BreakwaterError(
                path,
                f"the database {downstream.construct.node.path} has no secret, and no credentials are given.",
                "Pass credentials=DatabaseCredentials.secret(…) or DatabaseCredentials.iam(user).",
            )
        return DatabaseCredentials(secret=downstream.secret)

    def is_secret_of(self, downstream: Downstream) -> bool:
        """Whether this is the database's own secret, that is, the master user's."""
        return self._secret is not None and self._secret is downstream.secret

    def administrator(self, downstream: Downstream) -> secretsmanager.ISecret | None:
        """Return the secret of a login that may read the server's settings, and create users if that is asked for."""
        return self._administrator or downstream.secret or self._secret

    @property
    def login_secret(self) -> secretsmanager.ISecret | None:
        """The secret that functions log in with, if there is one."""
        return self._secret

    @property
    def login_user(self) -> str | None:
        """The user that functions log in as with IAM, if they do."""
        return self._iam_user

    @property
    def needs_secrets_manager(self) -> bool:
        """Whether the function must be able to reach Secrets Manager."""
        return self._secret is not None

    def settings(self) -> dict[str, str]:
        """Return the settings for `breakwater_runtime`: an ARN or a user name, never a password."""
        if self._secret is not None:
            return {environment.SECRET_ARN: self._secret.secret_arn}
        return {} if self._iam_user is None else {environment.AUTH: "iam", environment.USER: self._iam_user}

    def grant(self, function: lambda_.IFunction, downstream: Downstream) -> None:
        """Allow the function to log in this way."""
        if self._secret is not None:
            grant_secret_read(self._secret, function)
        elif self._iam_user is not None:
            downstream.grant_connect(function, self._iam_user)
