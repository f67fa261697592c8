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
    """Refuse lanes whose queues, as CloudFormation will name them, do not fit into 4 KB.

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
        With the number of bytes.
    """
    plain = json.dumps([others, list(feeds.values())], separators=(",", ":"))
    size = _REST + len(plain) + sum(_ARN + _name(queue) for queue in feeds) + sum(_URL + _name(queue) for queue in urls)
    if size > ENVIRONMENT_BYTES:
        raise BreakwaterError(
            quota,
            f"its {len(feeds)} queues make about {size:,} bytes of environment, and Lambda takes "
            f"{ENVIRONMENT_BYTES:,}.",
            "Use fewer lanes, or a shorter name of the stack and of the construct.",
        )


def _name(queue: Any) -> int:
    stack = Stack.of(queue)
    if Token.is_unresolved(stack.stack_name):
        return _LONGEST_NAME
    return min(_LONGEST_NAME, len(stack.stack_name) + len(stack.get_logical_id(queue.node.default_child)) + _RANDOM)
