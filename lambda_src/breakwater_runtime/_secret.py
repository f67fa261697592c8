"""A secret of Secrets Manager in the format of RDS, and what is said when it isn't one."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from threading import get_ident
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from breakwater_runtime._aws import ANSWER_SECONDS, ask, client, is_transient
from breakwater_runtime.errors import ConfigurationError

if TYPE_CHECKING:
    import logging
    from collections.abc import Iterator

    from breakwater_runtime.deadline import Deadline

_KEYS = {"user": "username", "password": "password", "host": "host", "database": "dbname"}


class Secret(SimpleNamespace):  # a NamedTuple's class is made by `exec`: 0.3 ms of a cold start
    """What a secret in the format of RDS says; None where it doesn't."""

    user: str | None = None
    password: str | None = None
    host: str | None = None
    port: int | None = None
    database: str | None = None


def parse(arn: str, value: str | None) -> Secret:
    """Read what Secrets Manager holds; None stands for binary content. The value stays out of every message."""
    if value is None:
        raise wrong_secret(arn, "is binary.")
    import json

    content: object = None
    with suppress(ValueError):  # whose error would carry the value along
        content = json.loads(value)
    if not isinstance(content, dict):
        raise wrong_secret(arn, "is not in the format of RDS: it is no JSON object.")
    texts = {name: _text(arn, content, key) for name, key in _KEYS.items()}
    if not texts["password"]:
        raise wrong_secret(arn, 'is not in the format of RDS: there is no "password".')
    return Secret(**texts, port=_port(arn, content))


def _text(arn: str, content: dict[str, Any], key: str) -> str | None:
    value = content.get(key)
    if value is None or isinstance(value, str):
        return value or None
    raise wrong_secret(arn, f'is not in the format of RDS: its "{key}" is a {type(value).__name__}, not a string.')


def _port(arn: str, content: dict[str, Any]) -> int | None:
    # RDS writes a number, people write strings
    text = str(content.get("port") or "")
    if not text:
        return None
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise wrong_secret(arn, 'is not in the format of RDS: its "port" is no number from 1 to 65535.')
    return int(text)


def manager() -> Any:
    """Return the client of Secrets Manager."""
    return client("secretsmanager", answer_seconds=ANSWER_SECONDS)


def fetch(arn: str, deadline: Deadline) -> Secret:
    """Ask Secrets Manager for a secret's current value."""
    # in time, too: where the init phase has not made it, the smallest functions take seconds for it
    asked = ask("botocore's client of Secrets Manager", deadline, manager, lambda _: False, answer_seconds=None)

    def get() -> dict[str, Any]:
        with unlogged():
            return asked.get_secret_value(SecretId=arn)

    answer = ask(f"secret {arn} at {asked.meta.endpoint_url}", deadline, get, is_transient)
    return parse(arn, answer.get("SecretString"))


@contextmanager
def unlogged() -> Iterator[None]:
    """Keep what botocore says at DEBUG out of the log: whole answers, with the secret in them, and signatures.

    Lambda's own log level DEBUG is the root logger's, so it is botocore's.
    """
    import logging

    thread = get_ident()

    def other_threads(record: logging.LogRecord) -> bool:
        return record.thread != thread

    loggers = [logging.getLogger(name) for name in ("botocore.parsers", "botocore.auth")]
    for logger in loggers:
        logger.addFilter(other_threads)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(other_threads)


def wrong_secret(arn: str | None, problem: str) -> ConfigurationError:
    """Make the error for a secret; a problem never quotes its value."""
    return ConfigurationError(
        f"secret_arn is {arn!r}, whose value {problem} It is a JSON object of strings with "
        '"username" and "password", and may have "host", "port" and "dbname".'
    )
