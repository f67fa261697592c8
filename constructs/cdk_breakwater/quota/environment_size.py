"""Whether what the functions of a quota must know fits into a function's environment."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aws_cdk import Stack, Token

from ..errors import BreakwaterError
from ..limits.aws_lambda import ENVIRONMENT_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import aws_sqs as sqs
    from constructs import IConstruct

_LONGEST_NAME = 80  # Source: Amazon SQS Developer Guide, "Queue name"
_RANDOM = len("--123456789012")
_ARN = len('"arn:aws:sqs:ap-southeast-1:123456789012:":,')
_URL = len('"https://sqs.ap-southeast-1.amazonaws.com/123456789012/",')
# Names of the table and the function, the keys before the queues, and the variables beside this one.
_REST = 350


def require_room(
    quota: IConstruct, feeds: Mapping[sqs.Queue, Any], urls: Sequence[sqs.Queue], others: Mapping[str, Any]
) -> None:
    """Refuse settings that do not fit into 4 KB, with the names that CloudFormation will give to the queues.

    Parameters
    ----------
    quota
        Whose functions they are.
    feeds
        By queue, what it feeds; a function must know its ARN.
    urls
        The queues whose URL a function must know.
    others
        What else it must know.

    Raises
    ------
    BreakwaterError
        With the number of bytes, and what takes most of them.
    """
    parts = {
        f"{len(feeds)} queues": _written(list(feeds.values()))
        + sum(_ARN + _name(queue) for queue in feeds)
        + sum(_URL + _name(queue) for queue in urls),
        **{name: _written(value) + len(name) + len('"":,') for name, value in others.items()},
    }
    size = _REST + sum(parts.values())
    if size > ENVIRONMENT_BYTES:
        largest = max(parts, key=lambda name: parts[name])
        advice = {
            "tiers": "Use fewer tiers, or a shorter name of their weight.",
            "key_tiers": "Use fewer tiers of each key, or a shorter name of their weight.",
            "key": "Use a shorter path to the key, or a shorter name of it.",
            "name": "Use a shorter id of the construct, or of those around it.",
        }.get(largest, "Use fewer lanes, or a shorter name of the stack and of the construct.")
        raise BreakwaterError(
            quota,
            f"its settings make about {size:,} bytes of environment, {parts[largest]:,} of them its {largest}, and "
            f"Lambda takes {ENVIRONMENT_BYTES:,}.",
            advice,
        )


def _written(value: object) -> int:
    return len(json.dumps(value, separators=(",", ":")))


def _name(queue: Any) -> int:
    stack = Stack.of(queue)
    if Token.is_unresolved(stack.stack_name):
        return _LONGEST_NAME
    return min(_LONGEST_NAME, len(stack.stack_name) + len(stack.get_logical_id(queue.node.default_child)) + _RANDOM)
