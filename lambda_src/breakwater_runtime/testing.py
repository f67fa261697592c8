"""What a handler's unit tests need: its environment, Lambda's context, events, and a database where there is one.

It is part of the runtime so that a test runs what Lambda runs. Nothing here is used by a function.
"""

from __future__ import annotations

import json
import os
import socket
from base64 import b64encode
from contextlib import contextmanager
from time import monotonic, time
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from breakwater_runtime.environment import DEFAULT_PORTS, PLAIN_TEXT, Settings, host_and_port, variable
from breakwater_runtime.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ACCOUNT, _REGION = "123456789012", "us-east-1"
_ENGINES = {name: name for name in DEFAULT_PORTS} | {"postgres": "postgresql"}
# A test database is near: what takes longer than this is not there.
_REACH_SECONDS = 2.0


@contextmanager
def environment(
    url: str | None = None, *, name: str | None = None, plain_text: str | None = None, **settings: object
) -> Iterator[None]:
    """Set the variables that a construct would have set, for a block or, as a decorator, for a function.

    Variables of the same downstream that were set before are away meanwhile, and come back.

    Parameters
    ----------
    url
        Such as `postgresql://app:secret@localhost:5432/shop`; engines are mysql, mariadb, postgresql, redis, valkey,
        mongodb. Something must listen there: the error is raised here, and not after a retried connect.
    name
        Of a function's further downstream: `BREAKWATER_<NAME>_…`.
    plain_text
        Why no TLS is needed to that host, in words, such as "a container of this test run". Without it a host that is
        not loopback is verified, and nothing else turns that off; on Lambda itself this one is refused.
    settings
        More of them by the arguments' names of `database()`: max_connections=20, function_timeout=5, …

    Raises
    ------
    ConfigurationError
        The URL or the reason is none, or nothing listens there.
    """
    values: dict[str, object] = {"function_timeout": 30, **(_of_url(url) if url else {}), **settings}
    if plain_text is not None:
        if not plain_text.strip():
            raise ConfigurationError('plain_text says why no TLS is needed: "a container of this test run".')
        values[PLAIN_TEXT.lower()] = plain_text
    if url:
        _reach(str(values["host"]), int(str(values["port"])))
    prefix = variable("", name)
    ours = {prefix + setting.upper(): str(value) for setting, value in values.items() if value is not None}
    known = {variable(setting.upper(), name) for setting in (*Settings.__annotations__, PLAIN_TEXT)}
    before = {key: os.environ[key] for key in known | set(ours) if key in os.environ}
    try:
        for key in before:
            del os.environ[key]
        os.environ.update(ours)
        yield
    finally:
        for key in ours:
            os.environ.pop(key, None)
        os.environ.update(before)


def listens(url: str) -> bool:
    """Tell whether something listens at a database's URL, for `pytest.mark.skipif`."""
    place = _of_url(url)
    try:
        _reach(str(place["host"]), int(str(place["port"])))
    except ConfigurationError:
        return False
    return True


def _of_url(url: str) -> dict[str, object]:
    parts = urlsplit(url)
    engine = _ENGINES.get(parts.scheme.partition("+")[0])
    shown = url.replace(f":{parts.password}@", ":***@") if parts.password else url
    if engine is None or not parts.hostname:
        raise ConfigurationError(f"{shown!r} is no database's URL. It is engine://user:password@host:port/database.")
    if parts.query:
        raise ConfigurationError(
            f"{shown!r} has options, which the runtime doesn't take from a URL. TLS is tls_ca=, and plain_text= to do "
            "without; a driver's options are arguments of database()."
        )
    return {
        "engine": engine,
        "host": parts.hostname,
        "port": parts.port or DEFAULT_PORTS[engine],
        "user": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else None,
        "database": parts.path.strip("/") or None,
    }


def _reach(host: str, port: int) -> None:
    try:
        socket.create_connection((host, port), _REACH_SECONDS).close()
    except OSError as error:
        raise ConfigurationError(
            f"Nothing listens at {host_and_port(host, port)} ({error}). Start the test database first."
        ) from None


class Context:
    """Lambda's context, with a clock that runs."""

    def __init__(self, seconds: float, request_id: str) -> None:
        self._ends = monotonic() + seconds
        self.aws_request_id = request_id
        self.function_name = "test"
        self.function_version = "$LATEST"
        self.invoked_function_arn = f"arn:aws:lambda:{_REGION}:{_ACCOUNT}:function:test"
        self.memory_limit_in_mb = "128"
        self.log_group_name = "/aws/lambda/test"
        self.log_stream_name = "test"

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until Lambda would end the invocation."""
        return max(0, int((self._ends - monotonic()) * 1000))


def context(seconds: float = 30, request_id: str | None = None) -> Context:
    """Make the context of an invocation that has so many seconds left."""
    return Context(seconds, request_id or str(uuid4()))


def queue_event(*bodies: object, queue: str = "test", group: str | None = None, receives: int = 1) -> dict[str, Any]:
    """Make the event of an SQS queue: a batch with a message for each body.

    Parameters
    ----------
    bodies
        Strings as they are, anything else as JSON.
    queue
        The queue's name.
    group
        The message group, of a FIFO queue.
    receives
        How often each message was received, this time included.
    """
    if group is not None and not queue.endswith(".fifo"):
        queue += ".fifo"
    records: list[dict[str, Any]] = []
    for number, body in enumerate(bodies):
        fifo: dict[str, str] = {} if group is None else {"MessageGroupId": group, "SequenceNumber": f"{number:020}"}
        records.append(
            {
                "messageId": str(uuid4()),
                "receiptHandle": "test",
                "body": _text(body),
                "attributes": {"ApproximateReceiveCount": str(receives), "SentTimestamp": _milliseconds(), **fifo},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{_REGION}:{_ACCOUNT}:{queue}",
                "awsRegion": _REGION,
            }
        )
    return {"Records": records}


def quota_event(body: object) -> dict[str, Any]:
    """Make the event with which a `QuotaThrottledInvocation` calls its function: one message."""
    return queue_event(body)


def stream_event(*data: object, stream: str = "test", partition_key: str = "test", shard: int = 0) -> dict[str, Any]:
    """Make the event of a Kinesis stream: bytes and strings as they are, anything else as JSON."""
    records = []
    for number, content in enumerate(data):
        sequence = str(10**20 + number)
        raw = content if isinstance(content, bytes) else _text(content).encode()
        records.append(
            {
                "kinesis": {
                    "partitionKey": partition_key,
                    "sequenceNumber": sequence,
                    "data": b64encode(raw).decode(),
                    "approximateArrivalTimestamp": time(),
                },
                "eventID": f"shardId-{shard:012}:{sequence}",
                "eventName": "aws:kinesis:record",
                "eventSource": "aws:kinesis",
                "eventSourceARN": f"arn:aws:kinesis:{_REGION}:{_ACCOUNT}:stream/{stream}",
                "awsRegion": _REGION,
            }
        )
    return {"Records": records}


def table_event(
    *items: Mapping[str, Any], keys: tuple[str, ...] = ("id",), change: str = "INSERT", table: str = "test"
) -> dict[str, Any]:
    """Make the event of a DynamoDB stream.

    Parameters
    ----------
    items
        The new images, or for REMOVE the old ones, in DynamoDB's own form: `{"id": {"S": "1"}}`.
    keys
        The names of the key's attributes.
    change
        INSERT, MODIFY or REMOVE.
    table
        The table's name.
    """
    image = "OldImage" if change == "REMOVE" else "NewImage"
    records = [
        {
            "eventID": str(uuid4()),
            "eventName": change,
            "eventSource": "aws:dynamodb",
            "eventSourceARN": f"arn:aws:dynamodb:{_REGION}:{_ACCOUNT}:table/{table}/stream/1",
            "awsRegion": _REGION,
            "dynamodb": {
                "Keys": {key: item[key] for key in keys if key in item},
                image: dict(item),
                "SequenceNumber": str(100 + number),
                "StreamViewType": "NEW_AND_OLD_IMAGES",
            },
        }
        for number, item in enumerate(items)
    ]
    return {"Records": records}


def _text(body: object) -> str:
    return body if isinstance(body, str) else json.dumps(body)


def _milliseconds() -> str:
    return str(int(time() * 1000))
