"""How a function logs in: a password, a secret of Secrets Manager, or an IAM token."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any

from breakwater_runtime.environment import DEFAULT_PORTS
from breakwater_runtime.errors import ConfigurationError

if TYPE_CHECKING:
    from breakwater_runtime.environment import Settings


class Login:
    """Where to connect, and as whom."""

    __slots__ = ("database", "host", "password", "port", "user")

    def __init__(self, host: str, port: int, user: str | None, password: str, database: str | None) -> None:
        self.host = host
        self.port = port
        self.user = user
        self.password = password
        self.database = database


class Credentials:
    """The credentials of one downstream; secrets are fetched when first needed and kept until they are refused."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._secret: dict[str, Any] = {}

    def login(self) -> Login:
        """Return what a connect needs, fetched where it isn't known yet."""
        settings = self._settings
        if settings.secret_arn and not self._secret:
            self._secret = _fetch(settings.secret_arn)
        secret = self._secret
        host = settings.host or secret.get("host")
        if not host:
            raise settings.error("host", None, "Neither the setting nor the secret names a host.")
        port = int(settings.port or secret.get("port") or DEFAULT_PORTS[settings.engine])
        user = settings.user or secret.get("username")
        database = settings.database or secret.get("dbname")
        if settings.auth == "iam":
            return Login(host, port, user, _iam_token(host, port, str(user)), database)
        password = settings.password if settings.password is not None else secret.get("password")
        return Login(host, port, user, password or "", database)

    def rotated(self) -> bool:
        """After a refused login: fetch the secret again, and tell whether it has changed."""
        if not self._settings.secret_arn or self._settings.password is not None:
            return False
        known, self._secret = self._secret, _fetch(self._settings.secret_arn)
        return self._secret != known


@cache
def client(service: str, **arguments: Any) -> Any:
    """Make a botocore client, once."""
    # botocore belongs to Lambda's Python runtimes. boto3 is not needed, and slower to import.
    try:
        from botocore.session import Session
    except ImportError as error:
        raise ConfigurationError(
            f"{service} needs botocore, which Lambda's Python runtimes carry. Elsewhere: pip install botocore"
        ) from error
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    options: dict[str, Any] = {"region_name": region, **arguments}
    return Session().create_client(service, **options)


def _fetch(secret_arn: str) -> dict[str, Any]:
    import json

    value = client("secretsmanager").get_secret_value(SecretId=secret_arn)["SecretString"]
    try:
        secret = json.loads(value)
    except ValueError:
        secret = None
    if not isinstance(secret, dict) or "password" not in secret:
        # the value itself stays out of every message
        raise ConfigurationError(
            f"secret_arn is {secret_arn!r}, whose value is not in the format of RDS. "
            'It is a JSON object with "username" and "password".'
        )
    return secret


def _iam_token(host: str, port: int, user: str) -> str:
    # made anew for each connect: a token lasts 15 minutes (RDS User Guide, "IAM database authentication"),
    # and making one is local arithmetic
    if ".dsql." in host:  # <cluster>.dsql.<Region>.on.aws, and the Region is part of what is signed
        dsql, region = client("dsql"), host.partition(".dsql.")[2].partition(".")[0]
        sign = dsql.generate_db_connect_admin_auth_token if user == "admin" else dsql.generate_db_connect_auth_token
        return sign(Hostname=host, Region=region)
    return client("rds").generate_db_auth_token(DBHostname=host, Port=port, DBUsername=user)
