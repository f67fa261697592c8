"""The reader of streams of the sources' tests, which writes down how long each invocation took its lane."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tests.e2e.sources.stream_poller import StreamPoller

if TYPE_CHECKING:
    from demo.emulator import Emulator


class RecordedPoller(StreamPoller):
    """Reads a stream.

    Attributes
    ----------
    invocations
        How many records the function began in each, and for how many seconds the lane waited for it. `@batch` ends a
        batch with the record that fails.
    """

    def __init__(self, emulator: Emulator, mapping: str) -> None:
        super().__init__(emulator, mapping)
        self.invocations: list[tuple[int, float]] = []

    def _invoke(self, records: list[dict[str, Any]]) -> int | None:
        began = time.monotonic()
        done = super()._invoke(records)
        self.invocations.append((min(len(records), (done or 0) + 1), time.monotonic() - began))
        return done
