"""What a quota grants, case by case."""

from __future__ import annotations

import json
import random
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from handlers.quota_dispatcher.calendar_window import DAY, MONTH, WEEK, CalendarWindow
from handlers.quota_dispatcher.clocks import MAX_SKEW, Reading
from handlers.quota_dispatcher.grants import Slot
from handlers.quota_dispatcher.quota import LATE, Quota
from handlers.quota_dispatcher.rolling_window import RollingWindow
from tests.unit.quota.quota_world import MIDNIGHT, Provider, Tier

T0 = 1_800_000_000_000
NEW_YORK = ZoneInfo("America/New_York")


def quota_of(*windows: RollingWindow | CalendarWindow, wall: int = T0, longest: int = 3_000) -> Quota:
    quota = Quota(windows, longest)
    quota.advance(Reading(wall, wall))
    return quota


def go_on(quota: Quota, wall: int) -> None:
    """Let the taker of the last write advance the clock."""
    quota.advance(Reading(wall, wall), quota.frame)


def take_over(quota: Quota, wall: int) -> None:
    """Let another advance it."""
    quota.advance(Reading(wall, wall))


def starts(slots: list[Slot]) -> list[int]:
    return [slot.start - T0 for slot in slots]


def test_every_tier_grants_at_once_what_it_allows_and_no_more() -> None:
    quota = quota_of(RollingWindow(10, 1_000), RollingWindow(4, 60_000))
    slots, next_start = quota.take("a", 100, 60_000)
    assert starts(slots) == [0, 0, 0, 0]
    assert next_start is None, "the next start depends on calls that have not ended"


def test_a_place_is_free_one_period_after_its_call_ended_not_after_it_started() -> None:
    quota = quota_of(RollingWindow(1, 1_000))
    (slot,), _ = quota.take("a", 1, 0)
    go_on(quota, T0 + 2_500)
    quota.ended(slot, slot.start + 2_400)
    assert quota.take("a", 1, 0) == ([], T0 + 3_401)
    assert starts(quota.take("a", 1, 1_000)[0]) == [3_401], "granted ahead, to start later"


def test_a_vanished_taker_keeps_its_places_until_its_calls_must_have_ended() -> None:
    quota = quota_of(RollingWindow(2, 1_000), longest=5_000)
    quota.take("a", 2, 0)
    take_over(quota, T0 + 4_000)
    assert quota.take("a", 1, 0)[0] == []
    go_on(quota, T0 + 4_000 + MAX_SKEW + 2_002)
    assert len(quota.take("a", 2, 0)[0]) == 2


def test_a_late_report_of_an_expired_grant_changes_nothing() -> None:
    quota = quota_of(RollingWindow(1, 1_000), longest=500)
    (slot,), _ = quota.take("a", 1, 0)
    go_on(quota, T0 + 600)
    quota.ended(slot, T0 + 10)
    quota.give_back(slot)
    assert quota.take("a", 1, 0) == ([], T0 + 1_501)


def test_where_arrivals_count_a_long_call_holds_its_place_no_longer_than_a_period_after_it_arrived() -> None:
    quota = quota_of(RollingWindow(1, 1_000, arrival=LATE + 300), longest=60_000)
    (slot,), _ = quota.take("a", 1, 0)
    grain = quota.rolling[0].grain
    (late,), _ = quota.take("a", 1, 5_000)
    assert LATE + 1_300 < late.start - T0 <= LATE + 1_301 + grain, "nothing is known of its beginning"
    quota.give_back(late)
    go_on(quota, T0 + 50)
    quota.begun(slot, T0 + 20)
    (again,), _ = quota.take("a", 1, 5_000)
    assert 1_320 < again.start - T0 <= 1_321 + grain
    quota.give_back(again)
    go_on(quota, T0 + 100)
    quota.ended(slot, T0 + 90, begun=T0 + 20)
    assert quota.take("a", 1, 5_000)[0][0].start - T0 <= 1_091 + grain, "it had ended before"


def test_unused_slots_are_free_at_once() -> None:
    quota = quota_of(RollingWindow(3, 60_000))
    slots, _ = quota.take("a", 3, 0)
    for slot in slots:
        quota.give_back(slot)
    assert len(quota.take("a", 3, 0)[0]) == 3


@pytest.mark.parametrize("arrival", [None, 200])
def test_a_slot_taken_ahead_is_in_the_place_of_another_and_not_in_one_more(arrival: int | None) -> None:
    quota = quota_of(RollingWindow(10, 1_000, arrival))
    (window,) = quota.windows
    for slot in quota.take("a", 10, 0)[0]:
        quota.ended(slot, slot.start + 100)
    go_on(quota, T0 + 500)
    assert len(quota.take("a", 20, 1_000)[0]) == 10
    assert quota.used(window) == 10, "of 10, though 20 are taken or were made"
    go_on(quota, T0 + 2_000)
    assert quota.used(window) == 10


@pytest.mark.parametrize("ahead", [-MAX_SKEW, 0, MAX_SKEW])
def test_a_takeover_counts_no_more_time_than_has_passed_for_certain(ahead: int) -> None:
    quota = quota_of(RollingWindow(1, 10_000))
    before = quota.clock
    take_over(quota, T0 + 5_000 + ahead)
    assert 0 <= quota.clock - before <= 5_000
    go_on(quota, T0 + 6_000 + ahead)
    assert quota.clock - before == max(0, 5_000 + ahead - MAX_SKEW) + 1_000, "its own clock counts in full"


def test_clocks_that_disagree_by_seconds_never_make_the_quotas_clock_run_fast() -> None:
    """Two takers write in turn, and the monotonic clock of each stands still between its writes."""
    quota = quota_of(RollingWindow(1, 1_000))
    before = quota.clock
    for milliseconds in range(100, 60_000, 100):
        behind = 3_000 if milliseconds % 200 else 0
        quota.advance(Reading(T0 + milliseconds - behind, 0))
        assert quota.clock - before <= milliseconds


def test_retry_after_stops_all_tiers() -> None:
    quota = quota_of(RollingWindow(5, 1_000))
    quota.pause(T0 + 30_000)
    quota.pause(T0 + 20_000)
    assert quota.take("a", 1, 1_000) == ([], T0 + 30_000)


def test_quota_spent_fills_the_tier_of_that_period() -> None:
    day = CalendarWindow(100, DAY, NEW_YORK)
    quota = quota_of(RollingWindow(5, 1_000), day)
    quota.take("a", 2, 0)
    assert quota.spend(DAY)
    assert quota.used(day) == 100
    slots, next_start = quota.take("a", 1, 1_000)
    assert not slots
    assert next_start == day.span(T0)[1] + MAX_SKEW
    assert not quota.spend(7_000), "no such tier"
    assert quota.spend(1_000)
    assert quota.used(quota.rolling[0]) == 5


def test_a_call_around_midnight_is_charged_to_both_days_until_its_end_is_known() -> None:
    day = CalendarWindow(1, DAY, NEW_YORK)
    before = MIDNIGHT - 2_000
    quota = quota_of(day, wall=before)
    (slot,), _ = quota.take("a", 1, 0)
    assert len(slot.periods[day.key]) == 2
    assert quota.take("a", 1, MAX_SKEW + 2_000)[0] == [], "it may reach the provider after midnight"
    quota.ended(slot, slot.start + 500)
    assert [taken.wall for taken in quota.take("a", 1, 5_000)[0]] == [MIDNIGHT + MAX_SKEW], "it ended a second before"


@pytest.mark.parametrize(
    ("period", "inside", "start", "end"),
    [
        (DAY, "2026-03-08 12:00", "2026-03-08 00:00", "2026-03-09 00:00"),
        (WEEK, "2026-03-08 12:00", "2026-03-02 00:00", "2026-03-09 00:00"),
        (MONTH, "2026-02-28 23:59", "2026-02-01 00:00", "2026-03-01 00:00"),
        (3_600_000, "2026-11-01 00:30", "2026-11-01 00:00", "2026-11-01 01:00"),
        (6 * 3_600_000, "2026-03-08 23:30", "2026-03-08 18:00", "2026-03-09 00:00"),
        (6 * 3_600_000, "2026-11-01 05:59", "2026-11-01 00:00", "2026-11-01 06:00"),
        (60_000, "2026-03-08 23:59", "2026-03-08 23:59", "2026-03-09 00:00"),
    ],
)
def test_calendar_periods_follow_the_zone(period: int, inside: str, start: str, end: str) -> None:
    def wall(text: str) -> int:
        return int(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp() * 1000)

    assert CalendarWindow(1, period, NEW_YORK).span(wall(inside)) == (wall(start), wall(end))


def test_a_day_with_daylight_saving_has_23_or_25_hours() -> None:
    day = CalendarWindow(1, DAY, NEW_YORK)
    autumn = int(datetime(2026, 11, 1, 12, tzinfo=NEW_YORK).timestamp() * 1000)
    assert [end - start for start, end in (day.span(MIDNIGHT), day.span(autumn))] == [23 * 3_600_000, 25 * 3_600_000]


def test_the_state_survives_storage_and_stays_within_one_write_unit() -> None:
    windows = [(20, 1_000), (150, 10_000), (5_000, DAY)]
    quota = Quota([RollingWindow(*tier) for tier in windows], 30_000)
    for turn in range(2_000):
        go_on(quota, T0 + turn * 50_000)
        for slot in quota.take("a", 20, 500)[0]:
            quota.ended(slot, slot.start + 80)
    state = json.loads(json.dumps(quota.dump()))
    again = Quota([RollingWindow(*tier) for tier in windows], 30_000).load(state)
    assert json.dumps(again.dump()) == json.dumps(state)
    for one in (again, quota):
        take_over(one, T0 + 2_000 * 50_000)
    assert again.take("a", 50, 60_000) == quota.take("a", 50, 60_000)
    assert len(json.dumps(state, separators=(",", ":"))) < 1_024 - 100


def test_a_changed_limit_keeps_the_calls_and_a_new_tier_inherits_them() -> None:
    quota = quota_of(RollingWindow(100, 10_000))
    for slot in quota.take("a", 90, 0)[0]:
        quota.ended(slot, slot.start)
    text = quota.dump()
    changed = Quota([RollingWindow(50, 10_000), RollingWindow(40, 1_000), CalendarWindow(9, DAY, NEW_YORK)], 0).load(
        text
    )
    take_over(changed, T0)
    assert [changed.used(window) for window in changed.windows] == [90, 90, 9]
    narrower = Quota([RollingWindow(200, 60_000)], 0).load(text)
    assert narrower.used(narrower.windows[0]) == 200, "what happened in the minute before is unknown: full"


def test_a_million_calls() -> None:
    """Two tiers, calls of 20 to 60 ms reported in blocks: nothing exceeded, 97 % of the quota used."""
    tiers = [Tier(1_000, 1_000), Tier(50_000, 60_000)]
    quota = Quota([tier.window() for tier in tiers], 3_000)
    chance = random.Random(7).random  # noqa: S311
    provider = Provider(tiers)
    instants = provider.instants
    wall, running = T0, list[tuple[Slot, int]]()
    while len(instants) < 1_000_000:
        go_on(quota, wall)
        still = []
        for slot, end in running:
            if end <= quota.clock:
                quota.ended(slot, end)
            else:
                still.append((slot, end))
        slots, next_start = quota.take("a", 500, 500)
        for slot in slots:
            duration = 20 + int(40 * chance())
            instants.append(slot.start + duration * chance())
            still.append((slot, slot.start + duration))
        running = still
        wall += 250 if slots or next_start is None else max(250, next_start - quota.clock)
    instants.sort()
    assert not provider.exceeded()
    shortest = 19 * 60_000 + 50_000  # 20 minutes' quotas, the last of them at 1,000 a second
    assert shortest / (instants[-1] - T0) > 0.97
