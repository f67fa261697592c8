"""What stands in a message: a value in its body, or in one of its attributes."""

from __future__ import annotations

import json
import re
from typing import Any

_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")


class MissingValueError(Exception):
    """There is no such value."""


def read_value(record: dict[str, Any], source: str, what: str) -> Any:
    """Read a value of a message.

    Parameters
    ----------
    record
        As the event source mapping hands it over.
    source
        A path in the body, such as ``$.usage.tokens`` or ``$.rows[0]``, or the name of a message attribute.
    what
        What it is to the quota, for the error.

    Raises
    ------
    MissingValueError
        When there is none.
    """
    return _in_body(record["body"], source, what) if source.startswith("$") else _attribute(record, source, what)


def _in_body(body: str, path: str, what: str) -> Any:
    try:
        value: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise MissingValueError(f"its body is not JSON, and {what} is {path}") from None
    for name, index in _STEP.findall(path[1:]):
        if index and isinstance(value, list) and int(index) < len(value):
            value = value[int(index)]
        elif name and isinstance(value, dict) and name in value:
            value = value[name]
        else:
            raise MissingValueError(f"its body has no {path}, which is {what}")
    return value


def _attribute(record: dict[str, Any], name: str, what: str) -> Any:
    text = record.get("messageAttributes", {}).get(name, {}).get("stringValue")
    if text is None:
        raise MissingValueError(f"it has no message attribute {name}, which is {what}")
    return text
