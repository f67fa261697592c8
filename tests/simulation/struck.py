"""`python -m tests.simulation.struck`: strike a dispatcher of a quota with keys at each of its requests."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from tests.simulation.keyed_account import quiet, run_for
from tests.simulation.provider import DAY, Limit
from tests.simulation.services import DynamoDBClient
from tests.simulation.world import World

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.hub import Machine

KINDS = {
    "killed before": None,
    "killed after": None,
    "stalled for 5 s": 5_000,
    "stalled for 20 s": 20_000,
    "stalled for 100 s": 100_000,
    "stopped for 5 s": 5_000,
    "stopped for 20 s": 20_000,
    "stopped for 100 s": 100_000,
}
"""What happens to it, and for how long (ms); when it is stopped, its monotonic clock stands still."""
SHARED = {False: (Limit(8, 1_000),), True: (Limit(40, 1_000, weighted=True), Limit(8, 1_000))}
EACH = (Limit(2, 1_000), Limit(9, 60_000))


class Strike:
    """Happens once, at a request.

    Attributes
    ----------
    happened
        Whether there were so many requests.
    """

    def __init__(self, world: World, kind: str, at: int) -> None:
        self._world, self._kind, self._left = world, kind, at
        self._intakes: set[Machine] = set()
        self.happened = False

    def request(self, send: Callable[..., Any], client: DynamoDBClient, apply: Callable[[], Any]) -> Any:
        self._left -= client.machine not in self._intakes
        if self.happened or self._left > 0 or client.machine in self._intakes:
            return send(client, apply)
        self.happened = True
        if self._kind == "killed before":
            client.machine.dead = True

        def struck() -> Any:
            answer = apply()
            self._hit(client.machine)
            return answer

        return send(client, struck)

    def invoke(self, invoke: Callable[..., Any], function: str, work: Callable[[Any], Any], *rest: Any) -> Any:
        def noted(environment: Any) -> Any:
            (self._intakes.add if function == "intake" else self._intakes.discard)(environment.machine)
            return work(environment)

        return invoke(self._world, function, noted, *rest)

    def _hit(self, machine: Machine) -> None:
        length, hub = KINDS[self._kind], self._world.hub
        if length is None:
            machine.dead = True
            return
        machine.stalled_until = hub.now + length
        if self._kind.startswith("stopped"):
            hub.after(length, lambda: setattr(machine, "stopped", machine.stopped + length))


def play(kind: str, at: int, *, weighted: bool = False) -> tuple[bool, list[str]]:
    """Strike at a request; return whether there was one, and what is wrong a day later."""
    world = quiet(SHARED[weighted], EACH)
    strike = Strike(world, kind, at)
    names = ["a", "b", "c", "d"]
    world.key_of = lambda number: names[number % 4] if number % 9 else names[0]
    if weighted:
        world.weigh = lambda: world.random.randint(1, 12)
    request, invoke = DynamoDBClient._do, World._invoke

    def requested(client: DynamoDBClient, apply: Callable[[], Any]) -> Any:
        return strike.request(request, client, apply)

    def invoked(_: World, *arguments: Any) -> Any:
        return strike.invoke(invoke, *arguments)

    with (
        patch.object(DynamoDBClient, "_do", requested),
        patch.object(World, "_invoke", invoked),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        world.send(20)
        world.hub.after(1_500, lambda: world.send(6))
        run_for(world, 240)
        wrong = world.provider.exceeded(list(SHARED[weighted]))
        wrong += [found for provider in world.key_providers.values() for found in provider.exceeded(list(EACH))]
        wrong += [f"message {body} is lost" for body in world.open]
        wrong += [f"message {sent.body} is buried" for sent in world.messages.values() if sent.dead]
    for _ in range(4):  # each day what is left is swept
        run_for(world, DAY / 1_000 + 60)
        world.send(1)
        run_for(world, 60)
    world.finish()
    wrong += [f"{name} is left" for name in world.dynamodb.items if name.startswith("page/")]
    return strike.happened, wrong


def main() -> int:
    bad = done = 0
    for kind in KINDS:
        for weighted in SHARED:
            at = 1
            while (found := play(kind, at, weighted=weighted))[0]:
                done += 1
                if found[1]:
                    bad += 1
                    print(f"{kind} request {at}, weighted={weighted}: {found[1]}")
                at += 1
    print(f"{done} strikes, {bad} of which broke a promise")
    return bool(bad)


if __name__ == "__main__":
    raise SystemExit(main())
