"""`python -m benchmarks.quota.processor`: processor time of the counter per message, without any request."""

from __future__ import annotations

import time
from typing import Any

from handlers.quota_dispatcher.call import Verdict
from handlers.quota_dispatcher.clocks import Reading
from handlers.quota_dispatcher.counter import Counter
from handlers.quota_dispatcher.pages import Page
from handlers.quota_dispatcher.reports import Report

RATE, TURN, AT_ONCE = 10_000, 100, 1_000
"""Calls a second that are granted, milliseconds between two writes, and messages of each."""
TURNS = 100


def main() -> None:
    """Take, report and write as a dispatcher does."""
    record: dict[str, Any] = {"messageId": "m", "body": "x" * 1_000, "attributes": {}, "messageAttributes": {}}
    library = {(1, number): Page((record,) * 100, (0,) * 100) for number in range(1, TURNS * AT_ONCE // 100 + 1)}
    tiers = [{"limit": RATE, "period": 1_000}, {"limit": 600 * RATE, "period": 600_000}]
    text, reports, frame = "", list[Report](), None
    began, calls = time.process_time(), 0
    for turn in range(TURNS):
        counter = Counter(tiers, 10_000, first=[], ordered=False)
        counter = counter.load(text) if text else counter
        counter.advance(Reading(1_800_000_000_000 + turn * TURN, turn * TURN), frame)
        for report in reports:
            counter.report(report)
        taken = counter.take("dispatcher", AT_ONCE, TURN, {1: len(library)}, library)
        text, frame = counter.dump(), counter.quota.frame
        reports = [Report(slot, held, slot.start + TURN, Verdict.DONE, settled=True) for slot, held in taken.calls]
        calls += len(taken.calls)
    spent = time.process_time() - began
    print(f"{calls:,} messages, {1e6 * spent / calls:.0f} us each, {len(text) / 1_000:.1f} KB of state")


if __name__ == "__main__":
    main()
