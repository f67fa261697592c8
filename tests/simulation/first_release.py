"""A quota as the release before left it: a backlog in queues, calls in the air, and no shelf."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING
from zlib import crc32

from handlers.quota_dispatcher.rolling_window import RollingWindow
from handlers.quota_dispatcher.tiers import window
from tests.simulation.world import DOORBELL, LANE, LONGEST_CALL, Sent, number_of, tier_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.provider import Limit
    from tests.simulation.world import World


def leave_behind(world: World, limits: list[Limit], waiting: int, group: Callable[[int], str]) -> None:
    """Fill the lanes, of which some messages are being called, and the table."""
    now, draw = world.hub.now, world.random
    least = min(limit.limit for limit in limits)
    ended, flying = draw.randint(0, least // 2), draw.randint(0, min(least // 4, 10))
    for _ in range(ended):
        world.provider.count(now - 1 - draw.randint(0, 100))
    lanes = sum(url.startswith(LANE) for url in world.sqs.queues)
    for _ in range(waiting):
        number = len(world.messages)
        sent = world.messages[str(number)] = Sent(str(number), group(number), now)
        world.open.add(sent.body)
        lane = f"{LANE}{crc32((sent.group or sent.body).encode()) % lanes + 1}"
        text, attributes = world.content(sent.body)
        id_ = world.sqs.send(lane, text, group=sent.group, attributes=attributes)
        others = [other for other in world.messages.values() if other.group == sent.group and other is not sent]
        if flying and (not sent.group or not others):
            flying -= 1
            queue = world.sqs.queues[lane]
            queue.hide(queue.messages[id_], now + LONGEST_CALL + 5_000)
            queue.messages[id_].receipt = 1
            world.hub.after(draw.randint(0, 2_000), _Call(world, sent, lane, f"{id_}/1"))
    taken = sum(sent.sent == now and _in_the_air(world, sent) for sent in world.messages.values())
    world.dynamodb.items["quota"] = {
        "id": {"S": "quota"},
        "state": {"S": _state(limits, now, ended, taken)},
        "token": {"S": "first release"},
        "holder": {"S": "chain"},
        "awake_until": {"N": str(now + 9_000)},
    }
    world.sqs.send(DOORBELL, "chain", delay=9_000)


class _Call:
    """One call of the old dispatcher, which deletes its message and can report it no more."""

    def __init__(self, world: World, sent: Sent, lane: str, handle: str) -> None:
        self.world, self.sent, self.lane, self.handle = world, sent, lane, handle

    def __call__(self) -> None:
        duration, problem = self.world.call(self.sent.body)
        if not isinstance(problem, str):
            self.world.hub.after(duration, lambda: self.world.sqs.delete(self.lane, self.handle))


def _in_the_air(world: World, sent: Sent) -> bool:
    return any(
        number_of(message.body) == sent.body and message.visible > world.hub.now
        for url, queue in world.sqs.queues.items()
        if url.startswith(LANE)
        for message in queue.messages.values()
    )


def _state(limits: list[Limit], now: int, ended: int, taken: int) -> str:
    """Write it as the release before did, which knew nothing of `counted="arrival"`."""
    windows = [window(**tier_of(replace(limit, arrives=0))) for limit in limits]
    calendar = [found for found in windows if not isinstance(found, RollingWindow)]
    rolling = [found for found in windows if isinstance(found, RollingWindow)]
    for found in rolling:
        found.end(now, ended)
    touched = [[[start, taken] for start in found.periods(now - 1_000, now + LONGEST_CALL)] for found in calendar]
    grants = {"chain/1": [now - 50, now + 1_000 + LONGEST_CALL, taken, touched]} if taken else {}
    return json.dumps(
        {
            "clock": now,
            "wall": now,
            "owner": "chain",
            "paused_until": 0,
            "grants": grants,
            "calendar": {found.key: [[found.span(now)[0], ended]] for found in calendar},
            "rolling": {found.key: [found.grain, *found.dump()] for found in rolling},
        }
    )
