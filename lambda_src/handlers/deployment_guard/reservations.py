"""How reservations move while a deployment is under way. Arithmetic alone: nothing here knows of AWS or of the CDK.

Three steps keep a budget at every instant: `lower` what is to have less, `let_go` what newcomers need of those that are
leaving, and, when those are gone, `raise_` what is to have more. Connections are counted in each database by itself: a
function holds its reservation times what each of its environments opens there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    # By function, then by database: the connections of one execution environment.
    Uses = Mapping[str, Mapping[str, int]]
    # By function: how many environments may run at once.
    Reservations = Mapping[str, int]


def held(database: str, uses: Uses, reservations: Reservations) -> int:
    """Sum the connections to a database that reservations allow."""
    return sum(number * uses[name].get(database, 0) for name, number in reservations.items())


def at_worst(before: Reservations, after: Reservations) -> dict[str, int]:
    """Give what each may have at the worst instant of a change that nobody orders: the larger of both numbers.

    A function that is in one of them only is there until what leaves is deleted, after everything else.
    """
    return {name: max(before.get(name, 0), after.get(name, 0)) for name in {**before, **after}}


def room(budgets: Mapping[str, int], uses: Uses, reservations: Reservations, name: str, want: int) -> int:
    """Tell how much of what a function wants fits beside what all others hold.

    Parameters
    ----------
    budgets
        Connections of each database that may be held.
    uses, reservations
        What everybody opens and holds; the function's own reservation is left out of account.
    name, want
        The function, and the reservation that it is to have.
    """
    for database, each in uses[name].items():
        if each:
            others = held(database, uses, {other: n for other, n in reservations.items() if other != name})
            want = min(want, (budgets[database] - others) // each)
    return max(0, want)


def lower(reservations: Reservations, targets: Reservations) -> dict[str, int]:
    """Let those that hold more than their target fall to it; nobody rises."""
    return {name: min(number, targets.get(name, number)) for name, number in reservations.items()}


def let_go(  # noqa: PLR0917
    budgets: Mapping[str, int],
    uses: Uses,
    reservations: Reservations,
    leaving: Iterable[str],
    newcomers: Mapping[str, tuple[int, int]],
    staying: Iterable[str] = (),
) -> tuple[dict[str, int], dict[str, int]]:
    """Share room between those that leave and those that come, which hold it together until the former are deleted.

    What leaves keeps half of what it has, unless a newcomer could not exist otherwise: then it goes down to 0, and
    after it what stays, down to 1.

    Parameters
    ----------
    budgets, uses
        As for `room`.
    reservations
        What everybody else may have at any time of the deployment, and what the leaving have now.
    leaving
        Those that are deleted in the end.
    newcomers
        The least that each can exist with, and what it is to have.
    staying
        Those that may be asked for what a newcomer needs to exist.

    Returns
    -------
    tuple of dict
        What the leaving and the staying keep, and what the newcomers get: below their least where there is no room.
    """
    now = dict(reservations)
    going, remaining = sorted(leaving), sorted(staying)
    shares = {name: share for name, (_, share) in newcomers.items()}
    leasts = {name: min(least, share) for name, (least, share) in newcomers.items()}
    halves = {name: (now[name] + 1) // 2 for name in going}
    for wanted, floors in (
        (shares, halves),
        (leasts, {**dict.fromkeys(going, 0), **{name: min(1, now[name]) for name in remaining}}),
    ):
        for name, floor in floors.items():
            now[name] = max(floor, now[name] - _lack(budgets, uses, {**now, **wanted}, uses[name]))
    return {name: now[name] for name in (*going, *remaining)}, _divide(budgets, uses, now, newcomers)


def fit(budgets: Mapping[str, int], uses: Uses, reservations: Reservations, leaving: Iterable[str]) -> dict[str, int]:
    """Lower those that leave as far as the others need it, down to 0."""
    now = dict(reservations)
    for name in sorted(leaving):
        now[name] = max(0, now[name] - _lack(budgets, uses, now, uses[name]))
    return {name: now[name] for name in sorted(leaving)}


def raise_(budgets: Mapping[str, int], uses: Uses, reservations: Reservations, targets: Reservations) -> dict[str, int]:
    """Let everybody rise to the target, as far as there is room, the one with the least part of its target first."""
    now = dict(reservations)
    _fill(budgets, uses, now, {name: target for name, target in targets.items() if target > now[name]})
    return {name: now[name] for name in targets}


def _lack(budgets: Mapping[str, int], uses: Uses, reservations: Reservations, each: Mapping[str, int]) -> int:
    """Tell how many environments fewer would be enough, of one that opens `each`."""
    lacking = [
        -((budgets[database] - held(database, uses, reservations)) // connections)
        for database, connections in each.items()
        if connections
    ]
    return max(0, *lacking)


def _divide(
    budgets: Mapping[str, int], uses: Uses, reservations: Reservations, newcomers: Mapping[str, tuple[int, int]]
) -> dict[str, int]:
    now = dict(reservations)
    for name, (least, share) in newcomers.items():
        now[name] = room(budgets, uses, now, name, min(least, share))
    _fill(budgets, uses, now, {name: share for name, (_, share) in newcomers.items()})
    return {name: now[name] for name in newcomers}


def _fill(budgets: Mapping[str, int], uses: Uses, now: dict[str, int], targets: Reservations) -> None:
    """Hand out what is left, in steps, so that all have about the same part of their targets."""
    databases = {database for name in targets for database in uses[name]}
    free = {database: budgets[database] - held(database, uses, now) for database in databases}
    rising = {name: target for name, target in targets.items() if target > now[name]}
    while rising:
        name = min(rising, key=lambda name: (now[name] / rising[name], name))
        if any(free[database] < each for database, each in uses[name].items()):
            del rising[name]
            continue
        now[name] += 1
        for database, each in uses[name].items():
            free[database] -= each
        if now[name] >= rising[name]:
            del rising[name]
