"""Aurora's Data API: SQL over HTTPS, no connection held."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import json
import os
import uuid
from time import time
from typing import TYPE_CHECKING, Any

from breakwater_runtime._aws import NoAnswer, ask, client, is_transient, status_of, was_not_sent
from breakwater_runtime.deadline import Deadline
from breakwater_runtime.environment import variable
from breakwater_runtime.errors import ConfigurationError, OutcomeUnknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

# Nothing was executed when one of these comes back. Amazon Aurora User Guide, "Troubleshooting Data API issues", and
# the API's reference; "too many connections": the Data API's own pool meets the server's limit, too.
_NOT_EXECUTED = ("DatabaseResumingException", "ThrottlingException", "ServiceUnavailableError")
_NOT_EXECUTED_TEXT = ("too many connections", "too many clients", "remaining connection slots", "is resuming")
# A statement is ended after 45 s, whoever waits for it (Aurora User Guide, "Data API limitations").
_LONGEST_SECONDS = 50
# After a pause the connection may be gone without a word, and a statement must not be what finds that out.
_FRESH_SECONDS = 20
_ROLLBACK_SECONDS = 1

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
        self._deadline: Deadline | None = None
        self._used_at = time()

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
            tried again until 0.5 s before the invocation's end, when a silent network is given up, too. None: the
            transaction's, else that of the `invocation` block around, else 15 s.

        Returns
        -------
        list of dict
            The rows by column name, empty for statements that return none.

        Raises
        ------
        ConnectionUnavailable
            The cluster had no room until the deadline.
        OutcomeUnknown
            The statement was sent and its answer did not come: it may have been executed. Nothing is sent twice.
        botocore.exceptions.ClientError
            Whatever else the Data API answers, an error in the statement for example.
        """
        arguments: dict[str, Any] = {**self._settings, "sql": statement, "formatRecordsAs": "JSON"}
        if parameters:
            arguments["parameters"] = [_parameter(name, value) for name, value in parameters.items()]
        if self._transaction:
            arguments["transactionId"] = self._transaction
        deadline = (self._deadline if context is None else None) or Deadline(context)
        answer = self._once("execute_statement", arguments, deadline)
        return json.loads(answer.get("formattedRecords") or "[]", parse_float=decimal.Decimal)

    @contextlib.contextmanager
    def transaction(self, context: object | None = None) -> Iterator[DataApi]:
        """Make the statements of a block one transaction: committed when it ends well, else rolled back."""
        deadline = Deadline(context)
        begun = DataApi(self._settings, self._rds_data)
        # one that was begun and never heard of ends by itself, empty
        identity = self._call("begin_transaction", dict(self._settings), deadline, is_transient)["transactionId"]
        begun._transaction, begun._deadline = identity, deadline
        end = {name: self._settings[name] for name in ("resourceArn", "secretArn")} | {"transactionId": identity}
        try:
            yield begun
        except BaseException:
            # the exception of the block is what matters; the Data API ends a forgotten transaction by itself
            with contextlib.suppress(Exception):
                self._call("rollback_transaction", end, deadline, lambda _: False, _ROLLBACK_SECONDS)
            raise
        self._once("commit_transaction", end, deadline)

    def _once(self, operation: str, arguments: dict[str, Any], deadline: Deadline) -> dict[str, Any]:
        """Send what must not be sent twice."""
        from botocore.exceptions import ClientError, HTTPClientError

        try:
            return self._call(operation, arguments, deadline, lambda _: False)
        except (HTTPClientError, NoAnswer) as error:
            raise OutcomeUnknown(
                f"{self._target}: the answer to {operation} was lost, so it may have been done or not ({error})."
            ) from error
        except ClientError as error:
            if status_of(error) < 500:
                raise
            raise OutcomeUnknown(
                f"{self._target}: {operation} failed within AWS, so it may have been done or not ({error})."
            ) from error

    def _call(
        self,
        operation: str,
        arguments: dict[str, Any],
        deadline: Deadline,
        is_repeatable: Callable[[Exception], bool],
        seconds: float | None = None,
    ) -> dict[str, Any]:
        if time() - self._used_at > _FRESH_SECONDS:
            self._rds_data.close()
        try:
            return ask(
                self._target,
                deadline,
                lambda: getattr(self._rds_data, operation)(**arguments),
                lambda error: _was_not_executed(error) or is_repeatable(error),
                answer_seconds=seconds,
            )
        finally:
            self._used_at = time()

    @property
    def _target(self) -> str:
        return f"Data API of {self._settings['resourceArn']} at {self._rds_data.meta.endpoint_url}"


def _was_not_executed(error: Exception) -> bool:
    from botocore.exceptions import ClientError

    if not isinstance(error, ClientError):
        return was_not_sent(error)
    code = error.response.get("Error", {}).get("Code", "")
    return code in _NOT_EXECUTED or any(text in str(error).lower() for text in _NOT_EXECUTED_TEXT)


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
        More arguments for botocore's `create_client`, such as `endpoint_url`. The retries of a `config` are not taken
        over: botocore repeats a write whose answer was lost.

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
    return DataApi(settings, client("rds-data", answer_seconds=_LONGEST_SECONDS, **arguments))


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
