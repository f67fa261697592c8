"""The promises, in the words of the docs, and the mark by which a test names the one that it proves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.runtime.conformance.clients import CLIENTS

if TYPE_CHECKING:
    from collections.abc import Callable

FACTS = {
    "The deadline bounds every wait, on both sides": {
        1: "a name that doesn't resolve, a resolver that never answers",
        2: "three addresses that answer nothing; one of three that answers",
        3: "a server that accepts and says nothing: connect, login",
        4: "a statement, a fetch, COMMIT, ROLLBACK, a stream, COPY, a CALL's next result: never answered",
        5: "a byte each half second; a server that reads nothing",
        7: "a finished answer doesn't wait for look, cleaning, mark or close",
        8: "a shorter limit of the user's wins",
        9: "the block after such an error works, on another session",
        10: "rounds of kills at the timeout, in a statement that waits: never more sessions than the share",
        11: "an environment gone without a farewell in a block: its session ends by 3 s after its deadline",
    },
    "Live or idle is written on the server by the block itself": {
        12: "sleeping before the first statement, between two, after the user's commit: not ended",
        13: "a long statement, Python's lock held, frozen within the block: not ended",
        14: "a stream half read, results of a CALL left, COPY, notifies, a pipeline: not ended",
        15: "locks, settings and role thrown away by the block itself: not ended",
        16: "a block longer than the server's idle timeouts is not ended by the server",
        17: "frozen between blocks on a full server: reclaimed, not before 4 s; its next block succeeds",
        18: "begins against a hunter without an age limit: no failed block; nobody waits for a frozen hunter",
        19: "never ended: other users, the same user's prompt",
        20: "no thread; as many round trips as the raw driver",
        21: "replies of 1.05 s: one connection",
        22: "one session per environment, whoever asks; a nested block says so at once",
        23: "a slot of MAX_USER_CONNECTIONS held by a frozen environment is free after 20 s",
    },
    "A commit is known, unknown, or not reached": {
        24: "the line cut before and after each answer: nothing twice, nothing lost, no half",
        25: "COMMIT's answer lost: the error says unknown, nothing is repeated",
        26: "a deadlock or a serialization failure, COMMIT's included, is repeated; a swallowed one ends the block",
        27: "a lost connection is repeated twice at most, then the driver's own error is raised",
        28: "a statement that kills its session is sent three times at most",
        29: "cleaning fails after COMMIT, the user commits and closes: success",
        30: "RETURNING, writing functions, DDL, AND CHAIN: acknowledged is there",
        31: "each option of the driver's connect is kept, after a reset too, or refused at once with the reason",
        33: "a stream that outlives its block raises",
    },
    "A block owns its connection object and leaves nothing in it": {
        34: "connection and cursor are dead after the block; closing twice is quiet",
        35: "an exception or cancellation in mid-exchange: the next blocks get their own answers",
        36: "nothing is left: variables, tables, locks, role, isolation, factories, adapters, handlers",
        37: "isinstance sees the driver's own class",
    },
    "An environment is never stuck, never on the wrong server, never blind": {
        38: "a server that became read-only, a changed plan: dropped, and repeated where open",
        39: "a connection has an age, so that a name that leads elsewhere is noticed",
        40: "close() within a block, a generator given up: the next invocation works",
        41: "errors that don't pass are raised at once, as themselves",
        42: "TLS verified without SSL_CERT_FILE; a CA replaced on disk; options against it refused; no password told",
        43: "a fuzz with a seed: acknowledged and lost 0, half transactions 0, sessions left 0",
        44: "an environment or event loop that stands still: what was answered counts; the next block works, soon",
    },
}
PROMISES = {number: text for facts in FACTS.values() for number, text in facts.items()}


def promise(
    *numbers: int, clients: tuple[str, ...] = CLIENTS
) -> Callable[[Callable[..., object]], Callable[..., object]]:
    """Say which promises a test proves, and run it with each of the clients; default: all."""
    if unknown := [number for number in numbers if number not in PROMISES]:
        raise ValueError(f"there are no promises {unknown}")

    def mark(test: Callable[..., object]) -> Callable[..., object]:
        for number in numbers:
            test = pytest.mark.promise(number)(test)
        return pytest.mark.parametrize("client", clients, indirect=True)(test)

    return mark
