"""Requests whose callers wait, and asynchronous events, one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .entries import (
    FAILED_RETRY_SECONDS,
    LONGEST_THROTTLED_RETRY_SECONDS,
    MOST_AGE_SECONDS,
    THROTTLED_RETRY_SECONDS,
    THROTTLED_RETRY_SPREAD,
    Api,
)

if TYPE_CHECKING:
    from .entries import Bucket, Direct
    from .event_functions import EventFunctions
    from .history import EntryHistory


class Tokens:
    """What token buckets hold."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[float, float]] = {}

    def take(self, buckets: tuple[Bucket, ...], now: float) -> bool:
        """Take a token of each of some buckets; False, and none, where one is empty."""
        filled = []
        for bucket in buckets:
            tokens, before = self._held.get(bucket.name, (bucket.burst, 0.0))
            filled.append(min(bucket.burst, tokens + (now - before) * bucket.rate))
        admitted = all(tokens >= 1 - 1e-9 for tokens in filled)
        for bucket, tokens in zip(buckets, filled, strict=True):
            self._held[bucket.name] = (tokens - admitted, now)
        return admitted


class EventRequests:
    """Requests of an API, or of whoever calls a function.

    Parameters
    ----------
    entry
        Where they come in.
    history
        Of it.
    functions, tokens
        Of the run.
    """

    def __init__(self, entry: Api | Direct, history: EntryHistory, functions: EventFunctions, tokens: Tokens) -> None:
        self._entry, self._history, self._functions, self._tokens = entry, history, functions, tokens
        self._clock = functions.clock

    def arrive(self, now: float) -> None:
        """Take a request or event."""
        if isinstance(self._entry, Api):
            if self._tokens.take(self._entry.buckets, now):
                self._ask(now)
            else:
                self._history.limited.add(now)
        elif self._entry.waits:
            self._ask(now)
        else:
            self._clock.open += 1
            self._change_depth(now, 1)
            self._send(now, now, 0, THROTTLED_RETRY_SECONDS)

    def tick(self, now: float, seconds: float) -> None:
        """Nothing: what waits has times of its own."""

    def _ask(self, now: float) -> None:
        """Invoke for a caller who waits."""
        history = self._history

        def ended(then: float, is_good: bool) -> None:
            self._clock.close(then)
            (history.done if is_good else history.failed).add(then)

        duration = self._functions.duration(self._entry.function)
        if self._functions.invoke(self._entry.function, now, duration, ended):
            self._clock.open += 1
        else:
            history.throttled.add(now)

    def _send(self, now: float, sent: float, failures: int, delay: float) -> None:
        """Invoke for an event that Lambda keeps itself."""
        history = self._history

        def ended(then: float, is_good: bool) -> None:
            if is_good:
                self._clock.close(then)
                history.done.add(then)
                return
            history.failed.add(then)
            if failures == len(FAILED_RETRY_SECONDS):
                self._clock.close(then)
                history.lost.add(then)
                return
            self._change_depth(then, 1)
            again = then + FAILED_RETRY_SECONDS[failures]
            self._clock.at(again, lambda later: self._send(later, sent, failures + 1, THROTTLED_RETRY_SECONDS))

        duration = self._functions.duration(self._entry.function)
        if self._functions.invoke(self._entry.function, now, duration, ended):
            self._change_depth(now, -1)
            return
        history.throttled.add(now)
        if now + delay - sent > MOST_AGE_SECONDS:
            self._clock.close(now)
            self._change_depth(now, -1)
            history.lost.add(now)
            return
        longer = min(2 * delay, LONGEST_THROTTLED_RETRY_SECONDS)
        spread = self._functions.chance.uniform(*THROTTLED_RETRY_SPREAD)
        self._clock.at(now + delay * spread, lambda later: self._send(later, sent, failures, longer))

    def _change_depth(self, now: float, change: int) -> None:
        depth = self._history.depth
        depth.set(now, depth.last + change)
