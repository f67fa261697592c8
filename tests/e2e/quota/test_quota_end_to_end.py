"""A provider that enforces its quota never has to."""

from __future__ import annotations

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from handlers.quota_dispatcher.key_plans import plan_item, plan_name
from handlers.quota_dispatcher.plan import HEARTBEAT, LEASE
from tests.e2e.quota.network import INVOKE
from tests.e2e.quota.provider import WARM_UP, KeyedProvider, most
from tests.e2e.quota.quota_app import (
    ATTEMPTS,
    CLOSED,
    DIVIDED,
    EACH,
    FAILING,
    KEYED,
    LOWER,
    LOWERED,
    NOISY,
    PARALLELISM,
    PLANNED,
    QUIET,
    TIERS,
    TROUBLED,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.quota.conftest import QuotaAccount

MESSAGES = 300


def until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


def finish(account: QuotaAccount, name: str, messages: int, remark: object) -> None:
    """Wait until each message is called: the provider never had to refuse one, and none is given up."""
    provider = account.providers[name]
    until(lambda: len({body for _, body in provider.accepted}) == messages, 180)
    instants = [at for at, _ in provider.accepted]
    print(f"{len(instants)} calls for {messages} messages in {instants[-1] - instants[0]:.2f} s, {remark}")
    assert provider.refused == 0
    assert all(most(instants, period) <= limit for limit, period in TIERS)
    assert not account.dead_letters(name)


def fastest(duration: float) -> float:
    """Return the shortest time for all calls when each counts until its end: 150, and after 10 s 150 more."""
    (per_second, _), (limit, period) = TIERS
    return period + duration + (limit - 1) / per_second * (1 + duration)


def test_all_messages_arrive_once_at_the_speed_of_the_quota(account: QuotaAccount) -> None:
    provider = account.providers["steady"]
    account.send("steady", ["first"])
    began = time.monotonic()
    until(lambda: len(provider.accepted) == 1, 60)
    first_message = provider.accepted[0][0] - began
    account.send("steady", [WARM_UP] * 50)  # the theory knows no cold starts
    time.sleep(TIERS[-1][1] / 2)
    duration = account.duration("steady")
    until(lambda: time.monotonic() > provider.warmed + TIERS[-1][1] + 1, 180)  # the windows are empty again
    provider.accepted.clear()
    account.send("steady", [f"message {number}" for number in range(MESSAGES)])
    until(lambda: len(provider.accepted) >= MESSAGES, 90)
    time.sleep(1)
    instants = [at for at, _ in provider.accepted]
    shortest = fastest(duration)
    print(f"{duration * 1000:.0f} ms per call, at best {shortest:.2f} s")
    print(f"first message after {first_message:.2f} s; {MESSAGES} calls in {instants[-1] - instants[0]:.2f} s")
    assert Counter(body for _, body in provider.accepted) == Counter(f"message {n}" for n in range(MESSAGES))
    assert provider.refused == 0
    assert all(most(instants, period) <= limit for limit, period in TIERS)
    # 1.00 to 1.01 on a machine with nothing else to do; other tests run beside this one, and make calls take longer
    assert instants[-1] - instants[0] <= 1.5 * shortest
    assert not account.dead_letters("steady")


def test_a_dispatcher_killed_twice_loses_nothing_and_exceeds_nothing(account: QuotaAccount) -> None:
    provider = account.providers["killed"]
    count = TIERS[-1][0] + 10
    account.send("killed", [f"message {number}" for number in range(count)])
    for reached in (40, 110):
        until(lambda reached=reached: len(provider.accepted) >= reached, 180)
        victims = account.dispatchers("killed")
        assert victims
        for victim in victims:
            victim.kill()
    finish(account, "killed", count, "two dispatchers killed")


def test_requests_and_answers_are_lost_and_a_dispatcher_stands_still(account: QuotaAccount) -> None:
    provider, met = account.providers[TROUBLED], account.network.met
    bodies = [f"message {number}" for number in range(TIERS[-1][0] + 30)]
    account.send(TROUBLED, bodies)
    until(lambda: len(provider.accepted) >= 40, 180)
    stopped = account.dispatchers(TROUBLED)
    assert stopped
    for process in stopped:
        process.suspend()
    time.sleep(LEASE / 1000 + 3)  # another takes its place meanwhile
    for process in stopped:
        process.resume()
    finish(account, TROUBLED, len(bodies), met)
    assert {trouble for kind, trouble in met if kind == INVOKE} == {"late", "lost", "refused"}
    assert {trouble for kind, trouble in met if kind == "UpdateItem"} == {"late", "lost", "refused", "doubled"}


def test_two_dispatchers_divide_a_quota_and_exceed_nothing(account: QuotaAccount) -> None:
    bodies = [f"message {number}" for number in range(TIERS[-1][0] + 30)]
    account.send(DIVIDED, bodies)
    finish(account, DIVIDED, len(bodies), "by two dispatchers")
    table = account.outputs[f"{DIVIDED}Table"]
    for name in ("quota", "quota/1"):
        item = account.client("dynamodb").get_item(TableName=table, Key={"id": {"S": name}})["Item"]
        assert (item["counters"]["N"], "counter" in item) == ("2", True)


def test_a_deployment_that_lowers_a_tier_holds_within_seconds(account: QuotaAccount) -> None:
    provider = account.providers[LOWERED]
    bodies = [f"message {number}" for number in range(2 * TIERS[-1][0])]
    account.send(LOWERED, bodies[::2])
    until(lambda: len(provider.accepted) >= 20, 180)
    account.lower(LOWERED)
    settled = time.monotonic() + HEARTBEAT / 1000 + 2
    account.send(LOWERED, bodies[1::2])
    until(lambda: len({body for _, body in provider.accepted}) == len(bodies), 180)
    ((limit, period),) = LOWER
    instants = [at for at, _ in provider.accepted if at > settled]
    print(f"{len(instants)} calls in the last {instants[-1] - instants[0]:.2f} s")
    assert most(instants, period) <= limit
    assert provider.refused == 0


def test_retry_after_stops_the_flow_and_only_failures_of_its_own_bury_a_message(account: QuotaAccount) -> None:
    provider = account.providers["signals"]
    provider.failing.add("bad")
    provider.closes_for = 6
    bodies = [f"good {number}" for number in range(30)]
    account.send("signals", [*bodies, "bad"])
    until(lambda: {body for _, body in provider.accepted} == {*bodies, "bad"}, 180)
    assert 1 <= provider.refused <= PARALLELISM, "those in flight when the provider first said so"
    letters: list[dict[str, Any]] = []
    until(lambda: bool(letters.extend(account.dead_letters("signals")) or letters), 30)
    (letter,) = letters
    assert letter["Body"] == "bad"
    assert "HTTP Error 500" in letter["MessageAttributes"]["Reason"]["StringValue"]
    assert letter["MessageAttributes"]["Failures"]["StringValue"] == str(ATTEMPTS)
    # Once each, but for calls that this machine was too busy to answer in time: those are made again.
    made = Counter(body for _, body in provider.accepted)
    assert set(made) == {*bodies, "bad"}
    assert made["bad"] >= ATTEMPTS


def test_a_group_waits_for_its_failing_message_and_the_others_go_on(account: QuotaAccount) -> None:
    provider = account.providers["ordered"]
    # A cold start on a busy machine takes longer than all attempts of the failing message.
    first = ["a", "b", "c"]
    account.send("ordered", first, fifo=True)
    until(lambda: {body for _, body in provider.accepted} == set(first), 60)
    provider.failing.add("a 0")
    bodies = [f"{group} {number}" for number in range(8) for group in "abc"]
    account.send("ordered", bodies, fifo=True)
    until(lambda: {body for _, body in provider.accepted} == {*first, *bodies}, 180)
    seen = [body for _, body in provider.accepted]
    for group in "abc":
        made = [body for body in seen if body[0] == group]
        assert made == sorted(made), "one after the other, even those that were made again for want of an answer"
    assert seen.count("a 0") >= ATTEMPTS
    waiting = seen[seen.index("a 0") : seen.index("a 1")]
    assert {"b", "c"} <= {body[0] for body in waiting}, seen
    assert [letter["Body"] for letter in account.dead_letters("ordered")] == ["a 0"]


def test_a_page_calls_at_once_beside_the_queue_and_the_quota_holds(account: QuotaAccount) -> None:
    provider = account.providers["beside"]
    bodies, pages = [f"message {number}" for number in range(60)], [f"page {number}" for number in range(30)]
    here, there = (url.rpartition("/")[2] for url in (account.outputs["besideQueue"], account.shop["Queue"]))
    assert here == there, "another app finds the queue, and who hands out slots, by the quota's name"
    account.send("beside", bodies)
    until(lambda: len(provider.accepted) >= 5, 60)
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(account.page, pages))
    until(lambda: set(bodies) <= {body for _, body in provider.accepted}, 90)
    done = [body for body, answer in zip(pages, answers, strict=True) if answer == "done"]
    called = [body for _, body in provider.accepted if body.startswith("page")]
    print(f"{len(done)} of {len(pages)} pages called the provider beside {len(bodies)} messages")
    assert sorted(called) == sorted(done), "each once, and none that heard that it is busy"
    assert len(done) > len(pages) // 2
    assert provider.refused == 0
    assert all(most([at for at, _ in provider.accepted], period) <= limit for limit, period in TIERS)


def test_a_tenant_in_trouble_disturbs_no_other_and_each_has_its_own_quota(account: QuotaAccount) -> None:
    provider = account.providers[KEYED]
    assert isinstance(provider, KeyedProvider)
    tenants = provider.tenants

    def of(tenant: str, count: int) -> list[str]:
        return [json.dumps({"tenant": tenant, "number": number}) for number in range(count)]

    def called(*names: str) -> set[str]:
        return {body for name in names for _, body in tenants[name].accepted}

    backlog, quiet = of(NOISY, 2 * EACH[-1][0]), [body for name in QUIET for body in of(name, 4)]
    paused, failing = of(CLOSED, 3), of(FAILING, 3)
    tenants[FAILING].failing.update(failing)
    tenants[CLOSED].closes_for = 5
    planned, tenants[PLANNED].tiers = of(PLANNED, 4), [(2, 10.0)]
    account.client("dynamodb").put_item(
        TableName=account.outputs[f"{KEYED}Table"], Item=plan_item(plan_name(PLANNED), {"10": 2, "1": 0})
    )
    account.send(KEYED, [*backlog, *failing, *paused, *planned, "no tenant"])
    until(lambda: len(called(NOISY)) >= 2, 60)
    account.send(KEYED, quiet)
    until(lambda: called(*QUIET) == set(quiet), 60)
    assert called(NOISY) < set(backlog), "its backlog is left, and held nobody up"
    victims = account.dispatchers(KEYED)
    assert victims
    for victim in victims:
        victim.kill()
    until(lambda: called(NOISY) == set(backlog) and called(CLOSED, PLANNED) == {*paused, *planned}, 180)
    reasons: dict[str, str] = {}

    def buried() -> bool:
        for letter in account.dead_letters(KEYED):
            reasons[letter["Body"]] = letter["MessageAttributes"]["Reason"]["StringValue"]
        return set(reasons) == {*failing, "no tenant"}

    until(buried, 90)
    print(f"{len(provider.accepted)} calls for {len({body for _, body in provider.accepted})} messages")
    assert all("HTTP Error 500" in reasons[body] for body in failing)
    assert reasons["no tenant"] == "not called: its body is not JSON, and its key is $.tenant"
    assert provider.refused == 0
    assert 1 <= tenants[CLOSED].refused <= PARALLELISM
    assert not any(ledger.refused for name, ledger in tenants.items() if name != CLOSED)
    for ledger in (provider, *tenants.values()):
        assert all(most([at for at, _ in ledger.accepted], period) <= limit for limit, period in ledger.tiers)
