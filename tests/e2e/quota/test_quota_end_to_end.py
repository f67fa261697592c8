"""A provider that enforces its quota never has to."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

from tests.e2e.quota.quota_app import TIERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.quota.conftest import QuotaAccount

MESSAGES = 300
# 150 in the first 10 s, the next 150 in the 10 s after, at 20 per second: the last of them starts at 10 + 149 / 20 s.
SHORTEST = 10 + 149 / 20


def until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


def most(instants: list[float], period: float) -> int:
    """Most calls in any window of this length."""
    return max(sum(start <= other < start + period for other in instants) for start in instants)


def test_all_messages_arrive_once_at_the_speed_of_the_quota(account: QuotaAccount) -> None:
    provider = account.providers["steady"]
    account.send("steady", ["first"])
    began = time.monotonic()
    until(lambda: len(provider.accepted) == 1, 30)
    first_message = provider.accepted[0][0] - began
    provider.accepted.clear()
    account.send("steady", [f"message {number}" for number in range(MESSAGES - 1)])
    until(lambda: len(provider.accepted) >= MESSAGES - 1, 90)
    time.sleep(1)
    instants = [at for at, _ in provider.accepted]
    print(Counter(int(at - instants[0]) for at in instants))
    print(f"first message after {first_message:.2f} s; {MESSAGES} calls in {instants[-1] - instants[0]:.2f} s")
    assert Counter(body for _, body in provider.accepted) == Counter(f"message {n}" for n in range(MESSAGES - 1))
    assert provider.refused == 0
    assert all(most(instants, period) <= limit for limit, period in TIERS)
    assert instants[-1] - instants[0] <= 1.1 * SHORTEST
    assert not account.dead_letters("steady")


def test_a_dispatcher_killed_twice_loses_nothing_and_exceeds_nothing(account: QuotaAccount) -> None:
    provider = account.providers["killed"]
    account.send("killed", [f"message {number}" for number in range(MESSAGES)])
    for reached in (60, 180):
        until(lambda reached=reached: len(provider.accepted) >= reached, 90)
        victims = account.dispatchers("killed")
        assert victims
        for victim in victims:
            victim.kill()
    until(lambda: len({body for _, body in provider.accepted}) == MESSAGES, 120)
    instants = [at for at, _ in provider.accepted]
    print(
        f"{len(instants)} calls for {MESSAGES} messages in {instants[-1] - instants[0]:.2f} s, two dispatchers killed"
    )
    assert provider.refused == 0
    assert all(most(instants, period) <= limit for limit, period in TIERS)
    assert not account.dead_letters("killed")
