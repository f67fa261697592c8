"""Aurora's Data API: SQL over HTTPS, no connection held."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import json
import os
import uuid
from typing import TYPE_CHECKING, Any

from breakwater_runtime.credentials import client
from breakwater_runtime.deadline import Deadline
from breakwater_runtime.environment import variable
from breakwater_runtime.errors import ConfigurationError
from breakwater_runtime.retry import Attempts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Nothing was executed when one of these comes back. Amazon Aurora User Guide, "Troubleshooting Data API issues", and
# the API's reference; "too many connections": the Data API's own pool meets the server's limit, too.
_NOT_EXECUTED = ("DatabaseResumingException", "ThrottlingException", "ServiceUnavailableError")
_NOT_EXECUTED_TEXT = ("too many connections", "too many clients", "remaining connection slots", "is resuming")

_TYPES: dict[type, tuple[str, str | None]] = {
    bool: ("booleanValue", None),
    int: ("longValue", None),
    float: ("doubleValue", None),
    str: ("stringValue", None),
    bytes: ("blobValue", None),
    decimal.Decimal: ("stringValue", "DECIMAL"),
    datetime.datetime: ("stringValue", "TIMESTAMP"),
    datetime.date: ("stringValue", "DATE"),
    datetime.time: ("stringValue", "TIME"),
    uuid.UUID: ("stringValue", "UUID"),
}


class DataApi:
    """Statements to one Aurora cluster. Made by `data_api()`."""

    def __init__(self, settings: dict[str, str], rds_data: Any) -> None:
        self._settings = settings
        self._rds_data = rds_data
        self._transaction: str | None = None

    def execute(
        self, statement: str, parameters: Mapping[str, Any] | None = None, context: object | None = None
    ) -> list[dict[str, Any]]:
        """Run one statement.

        Parameters
        ----------
        statement
            SQL with named parameters, `:name`.
        parameters
            Their values: None, bool, int, float, str, bytes, Decimal, datetime, date, time, UUID.
        context
            Lambda's context; what was not executed (a cluster that wakes up, throttling, no connection left) is
            tried again until 0.5 s before the invocation's end. None: 15 s.

        Returns
        -------
        list of dict
            The rows by column name, empty for statements that return none.

        Raises
        ------
        ConnectionUnavailable
            The cluster had no room until the deadline.
        botocore.exceptions.ClientError
            Whatever else the Data API answers, an error in the statement for example.
        """
        arguments: dict[str, Any] = {**self._settings, "sql": statement, "formatRecordsAs": "JSON"}
        if parameters:
            arguments["parameters"] = [_parameter(name, value) for name, value in parameters.items()]
        if self._transaction:
            arguments["transactionId"] = self._transaction
        answer = self._call("execute_statement", arguments, context)
        return json.loads(answer.get("formattedRecords") or "[]", parse_float=decimal.Decimal)

    @contextlib.contextmanager
    def transaction(self, context: object | None = None) -> Iterator[DataApi]:
        """Make the statements of a block one transaction: committed when it ends well, else rolled back."""
        begun = DataApi(self._settings, self._rds_data)
        identity = self._call("begin_transaction", dict(self._settings), context)["transactionId"]
        begun._transaction = identity
        end = {name: self._settings[name] for name in ("resourceArn", "secretArn")} | {"transactionId": identity}
        try:
            yield begun
        except BaseException:
            # the exception of the block is what matters; the Data API ends a forgotten transaction by itself
            with contextlib.suppress(Exception):
                self._rds_data.rollback_transaction(**end)
            raise
        self._rds_data.commit_transaction(**end)

    def _call(self, operation: str, arguments: dict[str, Any], context: object | None) -> dict[str, Any]:
        attempts = Attempts(f"Data API of {self._settings['resourceArn']}", Deadline(context))
        while True:
            try:
                return getattr(self._rds_data, operation)(**arguments)
            except Exception as error:  # noqa: PERF203 -- a retry
                if not _was_not_executed(error):
                    raise
                attempts.failed(error)


def _was_not_executed(error: Exception) -> bool:
    # botocore's ClientError, told by its attribute so that nothing is imported for it
    code = getattr(error, "response", {}).get("Error", {}).get("Code", "")
    return code in _NOT_EXECUTED or any(known in str(error).lower() for known in _NOT_EXECUTED_TEXT)


def data_api(
    name: str | None = None,
    *,
    resource_arn: str | None = None,
    secret_arn: str | None = None,
    database: str | None = None,
    **arguments: Any,
) -> DataApi:
    """Make a client of Aurora's Data API.

    Parameters
    ----------
    name
        The name of a function's further downstream.
    resource_arn, secret_arn, database
        The cluster, its secret, the database; default: `BREAKWATER_RESOURCE_ARN`, `BREAKWATER_SECRET_ARN`,
        `BREAKWATER_DATABASE`.
    arguments
        More arguments for botocore's `create_client`, such as `endpoint_url`.

    Raises
    ------
    ConfigurationError
        A cluster or a secret is not named.
    """
    settings: dict[str, str] = {}
    for key, setting, given in (
        ("resourceArn", "RESOURCE_ARN", resource_arn),
        ("secretArn", "SECRET_ARN", secret_arn),
        ("database", "DATABASE", database),
    ):
        value = given or os.environ.get(variable(setting, name))
        if value:
            settings[key] = value
        elif key != "database":
            raise ConfigurationError(f"{setting.lower()} (argument, or {variable(setting, name)}) is missing.")
    return DataApi(settings, client("rds-data", **arguments))


def _parameter(name: str, value: Any) -> dict[str, Any]:
    if value is None:
        return {"name": name, "value": {"isNull": True}}
    if type(value) not in _TYPES:
        raise ConfigurationError(f"parameter {name!r} is a {type(value).__name__}, which the Data API has no type for.")
    field, hint = _TYPES[type(value)]
    parameter: dict[str, Any] = {"name": name, "value": {field: value if hint is None else _text(value)}}
    return parameter | ({"typeHint": hint} if hint else {})


def _text(value: Any) -> str:
    # the Data API's format is "YYYY-MM-DD HH:MM:SS[.FFF]"
    return value.isoformat(" ", "milliseconds") if isinstance(value, datetime.datetime) else str(value)
