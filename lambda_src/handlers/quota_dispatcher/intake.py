"""Files what producers send onto the shelf, and rings for the dispatcher when nobody is awake.

The queue that producers send to has an event source mapping, which costs nothing while it is empty. What the mapping
receives before there is quota would count as a failed try, and SQS forgets what waits for more than 14 days: so it is
acknowledged as soon as it lies on the shelf, which forgets nothing.
"""

from __future__ import annotations

import os
from functools import cache
from math import ceil
from time import time
from typing import TYPE_CHECKING, Any
from zlib import crc32

import boto3
from botocore.config import Config

from .counters import Counters
from .dead_letters import bury
from .filing import file
from .freight import give_back_what_is_freed
from .keys import key_refusal
from .log import log
from .pages import fitting
from .ring import LONGEST_DELAY, new_id, send_ring
from .settings import VARIABLE, Settings
from .store import Store
from .weights import most_of, refusal, source_of

if TYPE_CHECKING:
    from collections.abc import Callable

_RECORD = (
    "messageId",
    "body",
    "attributes",
    "messageAttributes",
    "md5OfBody",
    "eventSource",
    "eventSourceARN",
    "awsRegion",
)
"""What is kept of a record: all but the receipt handle, which is void once the mapping has deleted the message."""


def handler(event: dict[str, Any], context: object) -> None:
    """Answer the event source mapping of a queue that producers send to. What fails, fails as a whole."""
    del context
    sqs, dynamodb = _clients()
    Intake(_settings(), sqs, dynamodb, _counters()).file(event["Records"], lambda: int(time() * 1000))


class Intake:
    """Files one batch.

    Parameters
    ----------
    settings
        Of the quota.
    sqs, dynamodb
        Clients.
    counters
        Of the process.
    """

    def __init__(self, settings: Settings, sqs: Any, dynamodb: Any, counters: Counters) -> None:
        self._settings = settings
        self._sqs = sqs
        self._dynamodb = dynamodb
        self._counters = counters

    def file(self, records: list[dict[str, Any]], clock: Callable[[], int]) -> None:
        """File records, by a clock (Unix ms)."""
        kept = [record for record in records if not self._refused(record)]
        while kept:
            settings = self._counters.next(self._settings, Store(self._dynamodb, self._settings.table))
            pages = ceil(len(kept) / (settings.batch or len(kept)))
            # As many to each: batches that come by turns would favour some counters.
            most = min(ceil(len(kept) / pages), fitting(kept))
            self._file(settings, kept[:most], clock)
            kept = kept[most:]

    def _file(self, settings: Settings, records: list[dict[str, Any]], clock: Callable[[], int]) -> None:
        """File records with a counter."""
        lanes: dict[int, list[dict[str, Any]]] = {}
        for record in records:
            content = {name: record[name] for name in _RECORD if name in record}
            lanes.setdefault(_lane(settings, record), []).append(content)
        item = file(self._sqs, self._dynamodb, settings, lanes, clock)
        self._counters.learn(item)
        if item.state is None and item.counters == 1:
            # Dispatchers of the release before may still answer rings, and know nothing of the shelf.
            now = clock()
            due = now + 1000 * LONGEST_DELAY
            send_ring(self._sqs, settings.doorbell, new_id(), due, now, counter=0)

    def _refused(self, record: dict[str, Any]) -> bool:
        """Move a message that no tier will ever grant into the dead-letter queue: its sender hears of it at once."""
        settings = self._settings
        tiers = [*settings.tiers, *settings.key_tiers]
        reason = key_refusal(record, settings.key) or refusal(record, source_of(tiers), most_of(tiers))
        if reason:
            log("refused at the door", message_id=record["messageId"], reason=reason)
            bury(self._sqs, settings.dead_letters, record, reason, 0, ordered=settings.ordered)
        return bool(reason)


def _lane(settings: Settings, record: dict[str, Any]) -> int:
    lanes = settings.lanes[record["eventSourceARN"]]
    group = record["attributes"].get("MessageGroupId", record["messageId"])
    return lanes[crc32(group.encode()) % len(lanes)]


@cache
def _settings() -> Settings:
    return Settings.from_environment()


@cache
def _counters() -> Counters:
    return Counters()


@cache
def _clients() -> tuple[Any, Any]:
    config = Config(connect_timeout=2, read_timeout=5, retries={"mode": "standard", "total_max_attempts": 3})
    return boto3.client("sqs", config=config), boto3.client("dynamodb", config=config)


if VARIABLE in os.environ:
    give_back_what_is_freed()
    _clients()  # In Lambda's init phase, which has more of a processor than a small function has afterwards.
