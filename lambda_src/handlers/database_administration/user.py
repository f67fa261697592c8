"""A database user: made, changed, dropped."""

from __future__ import annotations

import json
import logging
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

import breakwater_runtime as breakwater
from breakwater_runtime.credentials import client

from .grant import grants

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .account import Account

# IAM is eventually consistent: the policy that allows a new secret may be seconds old.
_PERMISSION_SECONDS = 60


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
    before = grants(event.get("OldResourceProperties") or {})
    password = _password(properties)
    try:
        with _account(properties, context) as account:
            if event["RequestType"] == "Create" and account.exists():
                _require_own(properties, password, account, context)
            account.set(password, int(properties["ConnectionLimit"]), grants(properties), before)
    except Exception as error:
        # Servers quote the statements that they refuse.
        if password is None or password not in str(error):
            raise
        raise RuntimeError(str(error).replace(password, "…")) from None
    return {"PhysicalResourceId": physical_id}


def _require_own(properties: dict[str, Any], password: str | None, account: Account, context: Any) -> None:
    """Let nobody take over a user that this deployment did not make, but let a repeated request through."""
    own = account.uses_iam() if password is None else _logs_in(properties, password, context)
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
        with database.connection(context):
            return True
    except Exception:
        return False
    finally:
        database.close()


def _drop(properties: dict[str, Any], context: Any) -> None:
    # Never a reason to keep a stack from being deleted: the database may be gone already. A user that cannot be dropped
    # is locked out, and its password is deleted with its secret.
    log = logging.getLogger(__name__)
    try:
        try:
            with _account(properties, context) as account:
                databases = account.databases()
            for database in databases:
                with _account(properties, context, database) as account:
                    account.release()
            with _account(properties, context) as account:
                account.drop()
        except Exception as error:
            log.warning("The user %s is not dropped: %s", properties["User"], error)
            with _account(properties, context) as account:
                account.lock()
    except Exception as error:
        log.warning("The user %s is not locked out either: %s", properties["User"], error)


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
