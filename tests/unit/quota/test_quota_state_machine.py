"""Whatever takers do, crash or misread, no window of any tier holds more calls than its limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.unit.quota.quota_world import MIDNIGHT, Tier, World

if TYPE_CHECKING:
    from random import Random

rolling = st.builds(Tier, limit=st.integers(1, 90), period=st.sampled_from([1_000, 2_000, 10_000, 60_000]))
calendar = st.builds(
    Tier,
    limit=st.integers(1, 90),
    period=st.sampled_from([60_000, 3_600_000, 86_400_000]),
    zone=st.sampled_from(["UTC", "America/New_York", "Asia/Kolkata"]),
)
tier_sets = st.lists(st.one_of(rolling, calendar), min_size=1, max_size=3, unique_by=lambda t: (t.period, t.zone))
taker = st.integers(0, 2)


class QuotaMachine(RuleBasedStateMachine):
    @initialize(tiers=tier_sets, random=st.randoms(use_true_random=False), before=st.integers(0, 20_000))
    def begin(self, tiers: list[Tier], random: Random, before: int) -> None:
        self.world = World(tiers, random, MIDNIGHT - before)
        self.slowest = 300

    @rule(index=taker, wanted=st.integers(1, 60), horizon=st.sampled_from([0, 250, 1_000, 5_000]))
    def take(self, index: int, wanted: int, horizon: int) -> None:
        self.world.write(self.world.takers[index], wanted, horizon)

    @rule(index=taker, rounds=st.integers(1, 20), pause=st.sampled_from([20, 100, 400]))
    def work(self, index: int, rounds: int, pause: int) -> None:
        for _ in range(rounds):
            self.take(index, 30, 500)
            self.world.pass_time(pause, self.slowest)

    @rule(milliseconds=st.sampled_from([1, 10, 50, 200, 900, 1_000, 3_000, 30_000]))
    def wait(self, milliseconds: int) -> None:
        for _ in range(10):
            self.world.pass_time(-(-milliseconds // 10), self.slowest)

    @rule(slowest=st.sampled_from([0, 50, 300, 2_500]))
    def calls_take(self, slowest: int) -> None:
        self.slowest = slowest

    @rule(index=taker)
    def crash(self, index: int) -> None:
        self.world.takers[index] = self.world.newcomer()

    @rule(index=taker, seconds=st.integers(1, 5))
    def retry_after(self, index: int, seconds: int) -> None:
        self.world.write(self.world.takers[index], 0, 0, lambda quota: quota.pause(quota.clock + seconds * 1000))

    @rule(index=taker)
    def quota_spent(self, index: int) -> None:
        period = self.world.tiers[0].period
        self.world.write(self.world.takers[index], 0, 0, lambda quota: quota.spend(period))

    @invariant()
    def nothing_exceeded(self) -> None:
        if hasattr(self, "world"):
            assert not self.world.provider.exceeded()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.finish()
            self.nothing_exceeded()


TestQuota = QuotaMachine.TestCase
TestQuota.settings = settings(max_examples=150, stateful_step_count=30)
