"""How long an attempt waits for the next: by a clock that a test moves."""

from __future__ import annotations

import pytest

from breakwater_runtime import deadline, retry
from breakwater_runtime.deadline import Deadline
from breakwater_runtime.errors import ConnectionUnavailable
from breakwater_runtime.retry import Attempts


class Clock:
    """The monotonic clock of the module under test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(retry, "monotonic", lambda: self.now)

    def pauses(self, attempt_seconds: float, count: int = 200) -> list[float]:
        attempts = Attempts("the database", Deadline(None, 3600))
        found = []
        for _ in range(count):
            self.now += attempt_seconds
            found.append(attempts.pause_after(OSError("refused")))
            self.now += found[-1]
        return found


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.mark.parametrize(
    ("attempt_seconds", "longest"), [(0.0, 0.25), (0.02, 0.25), (0.05, 0.5), (0.1, 1.0), (5.0, 1.0)]
)
def test_the_pauses_grow_with_what_a_refusal_takes(clock: Clock, attempt_seconds: float, longest: float) -> None:
    pauses = clock.pauses(attempt_seconds)
    assert max(pauses) == pytest.approx(longest, abs=1e-6)
    assert min(pauses) >= retry.BASE_SECONDS


def test_a_slow_refusal_is_forgotten_with_the_next_quick_one(clock: Clock) -> None:
    attempts = Attempts("the database", Deadline(None, 3600))
    clock.now += 5
    clock.now += attempts.pause_after(OSError("no answer"))
    assert attempts.pause_after(OSError("refused")) <= retry.CAP_SECONDS


def test_no_pause_goes_beyond_the_deadline() -> None:
    attempts = Attempts("the database", Deadline(None, 0.501))
    with pytest.raises(ConnectionUnavailable, match="no connection after 1 attempt in") as raised:
        attempts.pause_after(OSError("refused"))
    assert raised.value.attempts == 1


def test_the_last_attempt_is_made_while_there_is_time_for_one(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "monotonic", lambda: clock.now)

    def fail(until: Deadline) -> None:
        attempts = Attempts("the database", until)
        while True:
            clock.now += 0.1
            clock.now += attempts.pause_after(OSError("refused"))

    for seconds in range(3, 30):
        until = Deadline(None, seconds)
        with pytest.raises(ConnectionUnavailable):
            fail(until)
        assert -0.1 <= until.remaining() < 0.1 + retry.BASE_SECONDS


def test_a_deadline_is_never_too_late(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that stands still behind the context's answer."""
    monkeypatch.setattr(deadline, "monotonic", lambda: clock.now)

    class Stalled:
        def get_remaining_time_in_millis(self) -> int:
            clock.now += 2
            return 10_000

    assert Deadline(Stalled()).remaining() <= 8 - deadline.MARGIN_SECONDS
