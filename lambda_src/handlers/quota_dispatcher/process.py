"""What an execution environment makes once, and remembers from one invocation to the next."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from .caller import LATE
from .freight import give_back_what_is_freed
from .ring import new_id
from .settings import VARIABLE, Settings

if TYPE_CHECKING:
    from .clocks import Frame
    from .hands import Hands


@dataclass
class Memory:
    """What a process remembers of a counter from one invocation to the next.

    Attributes
    ----------
    name
        Of the process.
    token, frame
        Of its last write, and what the quota's clock was then.
    deleted
        Pages that it has deleted and that the state may still name.
    hands
        How many calls the function takes at once.
    swept_to, swept
        How far it has searched for abandoned pages, and when it came to the end, by the quota's clock.
    """

    name: str
    token: str = ""
    frame: Frame | None = None
    deleted: set[tuple[int, int]] = field(default_factory=set)
    invocations: int = 0
    hands: Hands | None = None
    swept_to: dict[str, Any] | None = None
    swept: int = 0


@dataclass(frozen=True)
class Clients:
    """Of SQS, DynamoDB and Lambda."""

    sqs: Any
    dynamodb: Any
    lambda_: Any


@cache
def settings() -> Settings:
    """Read them once per execution environment."""
    return Settings.from_environment()


@cache
def memory(counter: int) -> Memory:
    """Return what this execution environment remembers of one of several counters."""
    del counter
    return Memory(new_id()[:12])


@cache
def clients() -> Clients:
    """Make the clients, once per execution environment."""
    sockets = settings().hands + 5
    config = Config(
        max_pool_connections=sockets,
        connect_timeout=1,
        read_timeout=5,
        retries={"mode": "standard", "total_max_attempts": 3},
    )
    # A repeated invocation would be a second call, without a slot of its own. A request that leaves late is a call
    # that starts late: the second for the connection is part of longest_call.
    timeout = (settings().longest_call - LATE) / 1000
    once = Config(
        max_pool_connections=sockets, connect_timeout=1, read_timeout=timeout, retries={"total_max_attempts": 1}
    )
    return Clients(
        boto3.client("sqs", config=config),
        boto3.client("dynamodb", config=config),
        boto3.client("lambda", config=once),
    )


if VARIABLE in os.environ:
    give_back_what_is_freed()
    clients()  # In Lambda's init phase, which has more of a processor than a small function has afterwards.
