"""A dispatcher's process with large messages in all of its hands. It prints the most memory that it had (KiB)."""

from __future__ import annotations

import io
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

os.environ |= {"AWS_DEFAULT_REGION": "eu-central-1", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": sys.argv[1]}

from handlers.quota_dispatcher.caller import Caller
from handlers.quota_dispatcher.clocks import Frame, Reading
from handlers.quota_dispatcher.freight import give_back_what_is_freed
from handlers.quota_dispatcher.grants import Slot
from handlers.quota_dispatcher.held import Held, Ref
from handlers.quota_dispatcher.library import Library
from handlers.quota_dispatcher.page_reader import PageReader
from handlers.quota_dispatcher.pages import Page, memory_of
from handlers.quota_dispatcher.process import Clients
from tests.unit.quota.test_dispatcher_parts import SETTINGS

HANDS = int(sys.argv[2])
LENGTH = 1 << 20
everybody = Barrier(HANDS)


class Source:
    """Pages of one message, each character of which takes four bytes, and two in its event."""

    def get(self, key: tuple[int, int], unit: str = "") -> Page:
        del unit
        body = '"' * (LENGTH - 4) + "\U0001f600"
        record: dict[str, Any] = {"messageId": str(key), "body": body, "attributes": {}}
        return Page((record,), (0,), size=memory_of(record))


class Function:
    """The HTTP client copies the body, as boto3's does."""

    def invoke(self, **request: Any) -> dict[str, Any]:
        sent = bytearray(request["Payload"])
        time.sleep(0.05)
        return {"Payload": io.BytesIO(b"null"), "sent": len(sent)}


class Host:
    def reading(self) -> Reading:
        return Reading.now()

    def sleep(self, milliseconds: int) -> None:
        time.sleep(milliseconds / 1000)


class Metrics:
    def count(self, name: str) -> None:
        """Nobody looks at it."""


give_back_what_is_freed()
source: Any = Source()
host: Any = Host()
clients: Any = Clients(None, None, Function())
metrics: Any = Metrics()
store: Any = None
library = Library(host, source, store, PageReader(source, host.sleep))
caller = Caller(replace(SETTINGS, parallelism=HANDS), host, clients, library, metrics)
reports = []


def call(number: int) -> None:
    everybody.wait()
    now = Reading.now()
    slot = Slot("grant", now.monotonic, Frame(now.monotonic, now), {})
    reports.append(caller.call(slot, Held(Ref(1, number, 0, 0))))


threads = [Thread(target=call, args=(number,)) for number in range(HANDS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(reports) == HANDS
print({report.verdict.value for report in reports}, file=sys.stderr)
# not getrusage's ru_maxrss, which begins with that of the process that started this one
print(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
