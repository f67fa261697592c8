"""A database user: made, changed, dropped."""

from __future__ import annotations

import json
import logging
import os
import random
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

import breakwater_runtime as breakwater
from breakwater_runtime._aws import client

from .account import Login
from .grant import grants

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .account import Account

Result = TypeVar("Result")

# IAM is eventually consistent: the policy that allows a new secret may be seconds old.
_PERMISSION_SECONDS = 60
_LOGIN_SECONDS = 5
_DISTURBANCES = 5
# The user's limit, and MariaDB's and MySQL's lock of an account.
_LET_IN_BUT = ("too many connections for role", "max_user_connections", "1226", "3118", "4151")
_BUSY = ("too many clients", "too many connections", "remaining connection slots", "1040", "1203")


class UserRefused(Exception):  # noqa: N818 -- it says what happened
    """A user that must not be touched; the message says why, and what to do."""


def change(event: dict[str, Any], context: Any, server: str) -> dict[str, Any]:
    """Create, alter or drop a user, as often as one likes.

    Parameters
    ----------
    event
        CloudFormation's, with the properties `User`, `ConnectionLimit`, `Grants`, and `SecretArn` unless it logs in by
        IAM; `Database` names the database whose objects the grants are about.
    context
        Lambda's.
    server
        Host and port.
    """
    properties = event["ResourceProperties"]
    physical_id = f"{properties['User']}@{server}"
    if event["RequestType"] == "Delete":
        # A user of another server: the database was replaced, and this function connects to the new one only.
        if event["PhysicalResourceId"] == physical_id:
            _drop(properties, context)
        return {"PhysicalResourceId": event["PhysicalResourceId"]}
    # Another name or another server: a user that this deployment has not made yet, whatever the request's type is.
    is_known = event["RequestType"] == "Update" and event.get("PhysicalResourceId") == physical_id
    old = event.get("OldResourceProperties") or {} if is_known else {}
    password = _password(properties)
    # A rotation may be changing the password just now: it is left alone unless another secret is meant.
    login = None if is_known and old.get("SecretArn") == properties.get("SecretArn") else Login(password)

    def set_user() -> list[str]:
        with _account(properties, context) as account:
            try:
                exists = account.exists()
                if exists and not is_known:
                    _require_own(properties, password, account, context)
                return account.set(
                    login if exists else Login(password),
                    int(properties["ConnectionLimit"]),
                    grants(properties),
                    grants(old) if exists else [],
                )
            except Exception as error:
                if password is None or account.hidden(str(error), password) == str(error):
                    raise
                raise RuntimeError(account.hidden(str(error), password)) from None

    if left_out := _undisturbed(set_user):
        logging.getLogger(__name__).warning(
            "Not granted to %s, since they belong to somebody else: %s", properties["User"], ", ".join(left_out)
        )
    return {"PhysicalResourceId": physical_id}


def _require_own(properties: dict[str, Any], password: str | None, account: Account, context: Any) -> None:
    """Let nobody take over a user that this deployment did not make, but let a repeated request through."""
    own = account.uses_iam() if password is None else account.has_password(password)
    if own is None:
        own = _logs_in(properties, str(password), context)
    if not own:
        raise UserRefused(
            f"The user {properties['User']!r} exists on the database, with a login that is not this one's. Drop it, or "
            "take another name."
        )


def _logs_in(properties: dict[str, Any], password: str, context: Any) -> bool:
    database = breakwater.database(
        user=properties["User"], password=password, database=properties.get("Database"), max_connections=1
    )
    try:
        with database.connection(_Briefly(context)):
            return True
    except Exception as error:
        # Servers look at these after the password.
        return any(text in str(cause).lower() for cause in _causes(error) for text in _LET_IN_BUT)
    finally:
        database.close()


class _Briefly:
    """A context with a few seconds left: a user at its limit of connections is not waited for."""

    def __init__(self, context: Any) -> None:
        self.aws_request_id = context.aws_request_id
        self._ends = time.monotonic() + min(_LOGIN_SECONDS, context.get_remaining_time_in_millis() / 1000)

    def get_remaining_time_in_millis(self) -> int:
        return int((self._ends - time.monotonic()) * 1000)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _undisturbed(work: Callable[[], Result]) -> Result:
    """Do it again when another stack's deployment changed the same catalogs at the same time."""
    for _ in range(_DISTURBANCES):
        try:
            return work()
        except Exception as error:  # noqa: PERF203 -- a transaction each
            # PostgreSQL reports it as an internal error, without a code of its own.
            if "tuple concurrently" not in str(error):
                raise
            time.sleep(random.uniform(0.1, 0.5))  # noqa: S311 -- to part the two
    return work()


def _drop(properties: dict[str, Any], context: Any) -> None:
    # A database that is gone is never a reason to keep a stack from being deleted; one that is full for the moment is,
    # since the user would stay. One that cannot be dropped is locked out, and its password is deleted with its secret.
    log = logging.getLogger(__name__)

    def shut_out() -> list[str]:
        with _account(properties, context) as account:
            account.shut_out()
            return account.databases()

    def release(database: str) -> None:
        with _account(properties, context, database) as account:
            account.release()

    def drop() -> None:
        with _account(properties, context) as account:
            account.drop()

    try:
        databases = _undisturbed(shut_out)
    except UserRefused as error:
        log.warning("The user %s is not dropped: %s", properties["User"], error)
        return
    except Exception as error:
        if any(text in str(cause).lower() for cause in _causes(error) for text in _BUSY):
            raise
        log.warning("The user %s is not dropped: %s", properties["User"], error)
        return
    try:
        for database in databases:
            _undisturbed(partial(release, database))
        _undisturbed(drop)
    except Exception as error:
        log.warning("The user %s is locked out, and not dropped: %s", properties["User"], error)


@contextmanager
def _account(properties: dict[str, Any], context: Any, name: str | None = None) -> Iterator[Account]:
    if os.environ["BREAKWATER_ENGINE"] == "postgresql":
        from .postgresql_account import PostgreSqlAccount as EngineAccount
    else:
        from .mysql_account import MySqlAccount as EngineAccount
    database = breakwater.database(database=name or properties.get("Database"))
    try:
        with database.connection(context) as connection:
            account = EngineAccount(connection, properties["User"])
            if account.is_administrator():
                raise UserRefused(
                    f"The user {properties['User']!r} is the database's administrator. Take another name."
                )
            yield account
    finally:
        database.close()


def _password(properties: dict[str, Any]) -> str | None:
    if "SecretArn" not in properties:
        return None
    deadline = time.monotonic() + _PERMISSION_SECONDS
    while (secret := _secret(properties["SecretArn"], last_try=time.monotonic() > deadline)) is None:
        time.sleep(2)
    return json.loads(secret)["password"]


def _secret(arn: str, *, last_try: bool) -> str | None:
    try:
        return client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
    except ClientError as error:
        if last_try or error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        return None
