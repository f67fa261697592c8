"""An account in which one quota lives: its functions run the real code, everything around them is simulated."""

from __future__ import annotations

import io
import json
import random
import re
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ReadTimeoutError

from handlers.quota_dispatcher.acquirer import Deployed
from handlers.quota_dispatcher.clocks import Reading
from handlers.quota_dispatcher.counters import Counters
from handlers.quota_dispatcher.dispatcher import answer
from handlers.quota_dispatcher.intake import Intake
from handlers.quota_dispatcher.key_plans import plan_item, plan_name
from handlers.quota_dispatcher.keys import MESSAGE_GROUP
from handlers.quota_dispatcher.process import Clients, Memory
from handlers.quota_dispatcher.quota import LATE
from handlers.quota_dispatcher.ring import Ring
from handlers.quota_dispatcher.settings import Settings
from handlers.quota_dispatcher.tiers import TAG, fingerprint
from tests.simulation.hub import Draw, Hub, Killed, Machine
from tests.simulation.provider import Limit, Provider
from tests.simulation.services import SQS, DynamoDB, Faults, Message, Network, Queue, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from handlers.quota_dispatcher.reports import Report

TIMEOUT = 2_000
"""Of the user's function."""
LONGEST_CALL = 2_000 + 10_000 + 2_000 + TIMEOUT
DISPATCHER_TIMEOUT = 120_000
INTAKE_TIMEOUT = 30_000
DOOR, PRIORITY, LANE = "door", "priority", "lane"
DOORBELL, DEAD = "doorbell", "dead"
NUMBER = re.compile(r"\d+")
FUNCTIONS = ("intake", "dispatcher", "acquirer")


@dataclass
class Trouble:
    """What goes wrong besides requests, while `Faults.until` lies ahead."""

    kills: float = 0
    """Per process and second."""
    stalls: float = 0
    longest_stall: int = 0
    stopped_clocks: bool = False
    skew: int = 0
    slow_calls: float = 0
    unanswered: float = 0
    refused_calls: float = 0
    failures: float = 0
    signals: float = 0
    aimed: float = 0
    """Where it hurts: a process is struck just after its write of the counter, or with a call on its way."""
    longest_aimed: int = 25_000


@dataclass
class Sent:
    """What became of a message."""

    body: str
    group: str
    sent: int
    calls: list[int] = field(default_factory=list)
    ends: list[int] = field(default_factory=list)
    failed: int = 0
    done: int | None = None
    dead: bool = False
    weight: int = 1
    """What its call weighs at most."""
    poison: bool = False
    """Its weight makes no sense."""
    key: str = ""


class SimulatedHost:
    """The process of an invocation."""

    def __init__(self, world: World, machine: Machine) -> None:
        self.world, self.machine = world, machine
        self.results: list[Report] = []
        self.open = 0

    def reading(self) -> Reading:
        return self.world.reading(self.machine)

    def sleep(self, milliseconds: int) -> None:
        self.world.hub.sleep(self.machine, milliseconds)

    def submit(self, work: Callable[[], Report]) -> None:
        self.open += 1

        def run() -> None:
            report = work()
            self.open -= 1
            self.world.hub.put(self.results, report)

        self.world.hub.spawn(self.machine, run)

    def result(self, milliseconds: int) -> Report | None:
        if not self.results:
            if milliseconds <= 0:
                return None
            self.world.hub.wait(self.machine, self.results, milliseconds)
        return self.results.pop(0) if self.results else None

    def close(self) -> None:
        while self.open:
            self.sleep(100)


@dataclass
class Environment:
    """An execution environment: it keeps its memory and its clocks from one invocation to the next."""

    machine: Machine
    settings: Settings
    name: str
    memories: dict[int, Memory] = field(default_factory=dict)
    deployed: Deployed = field(default_factory=Deployed)
    counters: Counters = field(default_factory=Counters)

    def memory(self, counter: int) -> Memory:
        return self.memories.setdefault(counter, Memory(self.name))


class World:
    """One account.

    Parameters
    ----------
    seed
        Of everything that is drawn.
    limits
        The provider's tiers.
    weight
        Where the weight of a message stands, if a tier counts that.
    key, key_limits
        Where the key of a message stands, if there are keys, and the tiers of each.
    counters
        How many the quota begins with.
    batch
        Messages of a batch, all of which go to one counter.
    """

    def __init__(
        self,
        seed: int,
        limits: list[Limit],
        *,
        start: int,
        faults: Faults,
        trouble: Trouble,
        ordered: bool = False,
        lanes: int = 1,
        priority: bool = False,
        parallelism: int = 10,
        max_attempts: int = 3,
        weight: str = "$.weight",
        key: str = "",
        key_limits: Sequence[Limit] = (),
        counters: int = 1,
        batch: int = 100,
    ) -> None:
        self.random = Draw(seed)
        random.seed(seed)  # the jitter of the code under test
        self.hub = Hub(start)
        self.faults, self.trouble = faults, trouble
        self.network = Network(self.hub, self.random, faults, self._strike)
        self.dynamodb = DynamoDB()
        self.sqs = SQS(self.hub, self.random, faults, self.network.bill)
        self.provider = Provider(limits, self.random.randint(-500, 500) if trouble.skew else 0)
        self.key, self.key_limits = key, tuple(key_limits)
        self.key_of: Callable[[int], str] = lambda _: ""
        self.key_providers: dict[str, Provider] = {}
        self.key_closed_until: dict[str, int] = {}
        self.key_fails: set[str] = set()
        self.key_slow: set[str] = set()
        self.messages: dict[str, Sent] = {}
        self.open: set[str] = set()
        self.last_called = -1
        self.weight = weight
        self.weighted = False
        self.weigh: Callable[[], int | str] = lambda: 1
        self.follow_up = 0
        self.group: Callable[[int], str] = lambda _: ""
        self.overlaps: list[str] = []
        self.provider_closed_until = 0
        self.tells: Limit | None = None
        self.says = "RetryAfter(1)"
        self.refused = 0
        self.environments = 1_000
        self.durations = (20, 150)
        self._busy = 0
        self.function_away_until = 0
        self.padding = 0
        self.dispatcher_seconds = 0.0
        self.invocations = 0
        self._flying: dict[str, int] = {}
        self.memory = dict.fromkeys(FUNCTIONS, 256)
        self._environments: dict[str, list[Environment]] = {name: [] for name in FUNCTIONS}
        self._machines: list[Machine] = []
        numbers = list(range(1, lanes + 1))
        self.settings = Settings(
            name="Quota",
            table="table",
            function="function",
            lanes={DOOR: numbers, PRIORITY: [0], **{f"{LANE}{n}": [100 + n if ordered else n] for n in numbers}},
            first=[*([100 + n for n in numbers] if ordered else []), 0],
            former=[f"{LANE}{n}" for n in numbers] if ordered else [],
            dead_letters=DEAD,
            doorbell=DOORBELL,
            ordered=ordered,
            parallelism=parallelism,
            longest_call=LONGEST_CALL,
            max_attempts=max_attempts,
            tiers=self._tiers(limits),
            key=key,
            key_tiers=self._tiers(list(key_limits)) if key else [],
            counters=counters,
        )
        batch, window = (10, 0) if ordered else (batch, 1_000)
        for url in (DOOR, *([PRIORITY] if priority else []), *(f"{LANE}{n}" for n in numbers)):
            self.sqs.queues[url] = Queue(ordered, 6 * INTAKE_TIMEOUT, batch, window, max(2, counters), self._intake)
        dispatchers = 2 if counters == 1 else 1_000
        self.sqs.queues[DOORBELL] = Queue(False, DISPATCHER_TIMEOUT, 1, 0, dispatchers, self._dispatch)
        self.sqs.queues[DEAD] = Queue(ordered, arrived=self._buried)
        self.tag()

    # What the tests do

    def send(self, count: int, *, url: str = DOOR, group: Callable[[int], str] = lambda _: "") -> None:
        for _ in range(count):
            number = len(self.messages)
            body = str(number)
            key = self.key_of(number)
            name = key if key and self.key == MESSAGE_GROUP else group(number)
            weight = self.weigh()
            self.messages[body] = sent = Sent(body, name, self.hub.now, key=key)
            if isinstance(weight, int):
                sent.weight = weight
            else:
                sent.poison = True
            self.open.add(body)
            text, attributes = self.content(body, weight, key)
            self.sqs.send(url, text, group=name, attributes=attributes)

    def content(self, number: str, weight: int | str = 1, key: str = "") -> tuple[str, dict[str, Any]]:
        """Return the body and the attributes of a message."""
        if self.key:
            body: dict[str, Any] = {"number": number, "weight": weight, "padding": "x" * self.padding}
            body |= {"key": key} if key and self.key == "$.key" else {}
            named = {self.weight: str(weight)} | ({self.key: key} if key and self.key == "key" else {})
            attributes = {name: {"dataType": "String", "stringValue": text} for name, text in named.items()}
            return json.dumps(body), {} if self.key == "$.key" and self.weight.startswith("$") else attributes
        if not self.weighted:
            return f"{number} {self.random.randbytes(self.padding // 2).hex()}", {}
        if self.weight.startswith("$"):
            return json.dumps({"number": number, "weight": weight}), {}
        return number, {self.weight: {"dataType": "String", "stringValue": str(weight)}}

    def file(self, group: str = "") -> None:
        """Let a message arrive at the intake at this instant, whatever its queue would do."""
        number = str(len(self.messages))
        self.messages[number] = Sent(number, group, self.hub.now)
        self.open.add(number)
        self._intake([self.sqs.record(DOOR, Message(f"filed{number}", number, group, {}, self.hub.now, 0))], print)

    def deploy(self, limits: list[Limit], key_limits: Sequence[Limit] = ()) -> None:
        """Change the tiers: the tag first, the functions some seconds later."""
        key_tiers = self._tiers(list(key_limits)) if self.key else []
        self.settings_next = replace(self.settings, tiers=self._tiers(limits), key=self.key, key_tiers=key_tiers)
        self.sqs.queues[DOORBELL].tags[TAG] = fingerprint(self.settings_next.all_tiers)
        self.hub.after(self.random.randint(0, 20_000), self._deployed)

    def _deployed(self) -> None:
        self.settings = self.settings_next
        # Lambda may go on with environments of the code before for a while.
        for function, idle in self._environments.items():
            self._environments[function] = [old for old in idle if self.random.random() < 0.2]

    def set_plan(self, key: str, limits: dict[str, Any] | None) -> None:
        """Write a key's plan as the customer does, or take it away."""
        if limits is None:
            self.dynamodb.items.pop(plan_name(key), None)
        else:
            self.dynamodb.items[plan_name(key)] = plan_item(plan_name(key), limits)

    def forget_environments(self) -> None:
        """Go on with none of those that a deployment has replaced."""
        for function, idle in self._environments.items():
            self._environments[function] = [each for each in idle if each.settings == self.settings]

    def _tiers(self, limits: list[Limit]) -> list[dict[str, Any]]:
        self.weighted |= any(limit.weighted for limit in limits)
        return [tier_of(limit) | ({"weight": self.weight} if limit.weighted else {}) for limit in limits]

    def tag(self) -> None:
        self.sqs.queues[DOORBELL].tags[TAG] = fingerprint(self.settings.all_tiers)

    def reading(self, machine: Machine) -> Reading:
        return Reading(self.hub.now + machine.skew, self.hub.now - machine.stopped)

    def idle(self) -> bool:
        """Nothing is left to do."""
        for url, queue in self.sqs.queues.items():
            if queue.messages and url != DEAD:
                return False
        return self.settled()

    def settled(self) -> bool:
        """Every message is done, or lies in the dead-letter queue."""
        return not self.open

    def kill_who_works(self) -> None:
        """Kill every process that runs an invocation."""
        idle = [environment.machine for each in self._environments.values() for environment in each]
        for machine in self._machines:
            machine.dead = machine.dead or machine not in idle

    def finish(self) -> None:
        """Kill what is left, so that no process outlives its world."""
        for machine in self._machines:
            machine.dead = True

    def _buried(self, body: str) -> None:
        number = number_of(body)
        self.messages[number].dead = True
        self.open.discard(number)

    # Machines

    def _machine(self) -> Machine:
        machine = Machine(self.random.randint(-self.trouble.skew, self.trouble.skew))
        self._machines.append(machine)
        return machine

    def _troubled(self) -> bool:
        return self.hub.now < self.faults.until

    def _haunt(self, machine: Machine, ended: Callable[[], bool]) -> None:
        """Stall or kill a machine now and then, while it is at work."""
        trouble = self.trouble

        def strike() -> None:
            if machine.dead or ended() or not self._troubled():
                return
            if self.random.random() < trouble.kills:
                machine.dead = True
                return
            if self.random.random() < trouble.stalls:
                length = int(1_000 * (trouble.longest_stall / 1_000) ** self.random.random())
                self._stall(machine, length)
            self.hub.after(1_000, strike)

        if trouble.kills or trouble.stalls:
            self.hub.after(self.random.randint(0, 1_000), strike)

    def _strike(self, machine: Machine) -> None:
        """Stall or kill a machine at a point where it hurts."""
        if self.trouble.aimed and self._troubled() and self.random.random() < self.trouble.aimed:
            if self.random.random() < 0.2:
                machine.dead = True
            else:
                self._stall(machine, int(1_000 * (self.trouble.longest_aimed / 1_000) ** self.random.random()))

    def _stall(self, machine: Machine, length: int) -> None:
        machine.stalled_until = self.hub.now + length
        if self.trouble.stopped_clocks and self.random.random() < 0.5:
            self.hub.after(length, lambda: setattr(machine, "stopped", machine.stopped + length))

    def _environment(self, function: str) -> Environment:
        idle = self._environments[function]
        # Lambda takes the environment that was used last, as long as it keeps it.
        if idle and self.random.random() > (0.25 if self._troubled() else 0.05):
            return idle.pop(self.random.randrange(len(idle)) if self._troubled() else -1)
        name = f"process{self.random.getrandbits(48)}"
        return Environment(self._machine(), self.settings, name)

    def _invoke(
        self, function: str, work: Callable[[Environment], Any], timeout: int, done: Callable[[Any], None]
    ) -> None:
        """Run a function; `done` hears what it returned, None when it failed or died."""
        environment = self._environment(function)
        machine = environment.machine
        ended = [False]

        began = self.hub.now

        def finish(answer: Any) -> None:
            if not ended[0]:
                ended[0] = True
                self.network.bill["invocations"] += 1
                self.network.bill["MB milliseconds"] += (self.hub.now - began) * self.memory[function]
                done(answer)

        def run() -> None:
            self.hub.sleep(machine, self.random.randint(5, 30))
            try:
                answer = work(environment)
            except Killed:
                raise
            except CRASHES:
                answer = None
            if not ended[0]:
                self._environments[function].append(environment)
            finish(answer)

        def over() -> None:
            # Lambda ends what lasts too long, and notices within seconds when a process has died.
            if not ended[0]:
                machine.dead = True
                finish(None)

        self.hub.spawn(machine, run)
        self.hub.after(timeout, over)

        def watch() -> None:
            if machine.dead:
                finish(None)
            elif not ended[0]:
                self.hub.after(2_000, watch)

        self.hub.after(2_000, watch)
        self._haunt(machine, lambda: ended[0])

    # Functions

    def _clients(self, machine: Machine) -> Clients:
        return Clients(
            self.sqs.client(self.network, machine), self.dynamodb.client(self.network, machine), Function(self, machine)
        )

    def _intake(self, records: list[dict[str, Any]], done: Callable[[set[str]], None]) -> None:
        def work(environment: Environment) -> bool:
            clients = self._clients(environment.machine)
            clock = lambda: self.reading(environment.machine).wall  # noqa: E731
            intake = Intake(environment.settings, clients.sqs, clients.dynamodb, environment.counters)
            intake.file(records, clock)
            return True

        ids = {record["messageId"] for record in records}
        self._invoke("intake", work, INTAKE_TIMEOUT, lambda answer: done(set() if answer else ids))

    def _dispatch(self, records: list[dict[str, Any]], done: Callable[[set[str]], None]) -> None:
        (record,) = records
        began = self.hub.now
        self.invocations += 1

        def work(environment: Environment) -> bool:
            ring = Ring.read(record)
            return answer(
                environment.settings,
                ring,
                DISPATCHER_TIMEOUT - (self.hub.now - began),
                host=SimulatedHost(self, environment.machine),
                clients=self._clients(environment.machine),
                memory=environment.memory(ring.counter),
            )

        def over(answer: bool | None) -> None:
            self.dispatcher_seconds += (self.hub.now - began) / 1_000
            done(set() if answer else {record["messageId"]})

        self._invoke("dispatcher", work, DISPATCHER_TIMEOUT, over)

    def call(self, body: str) -> tuple[int, Any]:
        """Run the user's function for a message: return how long it takes, and its answer (text: an error)."""
        trouble, troubled, now = self.trouble, self._troubled(), self.hub.now
        sent = self.messages[body]
        duration = self.random.randint(*self.durations)
        if (troubled and self.random.random() < trouble.slow_calls) or sent.key in self.key_slow:
            duration = self.random.randint(500, 10_000 + TIMEOUT)
        limits = (*self.provider.limits, *self.key_limits)
        within = min(duration, *(limit.arrives - 20 if limit.arrives else duration for limit in limits))
        counted = now + self.random.choice((0, within, self.random.randint(0, within)))
        if now < self._flying.get(sent.group, 0) and sent.group and self.settings.ordered:
            self.overlaps.append(f"{body} of group {sent.group} at {now}, another until {self._flying[sent.group]}")
        self._flying[sent.group] = max(self._flying.get(sent.group, 0), now + duration)
        real = sent.weight if self.random.random() < 0.3 else self.random.randint(-(-sent.weight // 3), sent.weight)
        self.provider.count(counted, real)
        if sent.key:
            skew = self.provider.skew
            self.key_providers.setdefault(sent.key, Provider([], skew)).count(counted, real)
        sent.calls.append(now)
        self.last_called = max(self.last_called, int(body))
        if self.follow_up:
            # While this is called, so that it arrives when the dispatcher may be about to leave.
            self.follow_up -= 1
            self.hub.after(self.random.randint(0, duration), lambda: self.send(1, group=self.group))
        if now < self.provider_closed_until or now < self.key_closed_until.get(sent.key, 0):
            return duration, self.says
        if sent.key in self.key_fails:
            sent.failed += 1
            return duration, "this one always fails"
        if troubled and self.random.random() < trouble.signals:
            texts = ["RetryAfter(2)", "RetryAfter(0)", "RetryAfter(1e-05)", f"RetryAfter({now // 1000 + 5})"]
            texts += [f"QuotaSpent({self.settings.tiers[0]['period'] / 1000:g})", "RetryAfter(1.2.3)"]
            text = self.random.choice(texts)
            sent.failed += text == "RetryAfter(1.2.3)"  # that is no signal
            return duration, text
        if troubled and self.random.random() < trouble.failures:
            sent.failed += 1
            return duration, "a failure \x00 of the provider"
        sent.ends.append(now + duration)
        if sent.done is None:
            sent.done = now + duration
            self.open.discard(body)
        used = self.random.choice((real, real, sent.weight, None, "some"))
        answer: dict[str, Any] = {} if used is None else {"quotaUsed": used}
        if limit := self.tells:
            self.hub.at(counted, lambda: answer.update(rateLimits=[self.provider.tell(limit, self.hub.now)]))
        return duration, answer


class Function:
    """Lambda's Invoke, as the dispatcher sees it."""

    def __init__(self, world: World, machine: Machine) -> None:
        self.world, self.machine = world, machine

    def invoke(self, **request: Any) -> dict[str, Any]:
        world, machine = self.world, self.machine
        (record,) = json.loads(request["Payload"])["Records"]
        box: list[Any] = []
        random, hub = world.random, world.hub
        troubled = hub.now < world.faults.until

        def ends() -> None:
            world._busy -= 1

        def arrive() -> None:
            world._strike(machine)
            duration, problem = world.call(number_of(record["body"]))
            hub.after(duration, ends)

            def answer() -> dict[str, Any]:
                if not isinstance(problem, str):
                    return {"Payload": io.BytesIO(json.dumps(problem).encode())}
                payload = json.dumps({"errorType": "Error", "errorMessage": problem}).encode()
                return {"Payload": io.BytesIO(payload), "FunctionError": "Unhandled"}

            if troubled and random.random() < world.trouble.unanswered:
                hub.after(LONGEST_CALL - 2_000, lambda: hub.put(box, ReadTimeoutError(endpoint_url="x")))
            else:
                hub.after(duration + 3, lambda: hub.put(box, answer()))

        away = hub.now < world.function_away_until or world._busy >= world.environments
        if away or (troubled and random.random() < world.trouble.refused_calls):
            world.refused += 1
            hub.after(5, lambda: hub.put(box, refusal("TooManyRequestsException", 429)))
        else:
            world._busy += 1
            hub.after(random.randint(2, 10), arrive)
        hub.wait(machine, box)
        (answer,) = box
        if isinstance(answer, Exception):
            raise answer
        return answer


def number_of(body: str) -> str:
    """Return the number of a message."""
    found = NUMBER.search(body)
    assert found
    return found[0]


@cache
def tier_of(limit: Limit) -> dict[str, Any]:
    from aws_cdk import Duration

    from cdk_breakwater.quota.tier import QuotaTier

    period = Duration.millis(limit.period)
    if limit.zone:
        return QuotaTier(limit=limit.limit, period=period, start="calendar", time_zone=limit.zone).setting()
    tier = {"limit": limit.limit, "period": limit.period}
    return tier | ({"arrival": LATE + limit.arrives} if limit.arrives else {})


def _crashes() -> tuple[type[Exception], ...]:
    from botocore.exceptions import BotoCoreError, ClientError

    return (BotoCoreError, ClientError)


CRASHES = _crashes()
