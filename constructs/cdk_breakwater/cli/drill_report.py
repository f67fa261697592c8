"""What a drill is going to do, and what it has shown."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from rich.console import Group
from rich.table import Table

if TYPE_CHECKING:
    from .drill import Outcome
    from .drill_plan import Drill
    from .drill_watch import Measured


class Verdict(IntEnum):
    """The exit code."""

    WITHIN = 0
    NOTHING_SHOWN = 1
    EXCEEDED = 3
    STOPPED = 4


def announcement(drill: Drill) -> Group:
    """Say what will be called, how often, and at what cost."""
    table = _table("function", "reserved", "calls at once", "timeout")
    for target in drill.targets:
        table.add_row(target.name, str(target.reserved), str(target.at_once), f"{target.timeout} s")
    cost = f"at most ${drill.dollars:.2f}" if drill.dollars >= 0.01 else "less than $0.01"
    return Group(
        table,
        f"For {drill.seconds:g} s, or until {drill.most_calls:,} calls are made: {cost} by Lambda's prices in "
        "us-east-1. The functions really run, with your payload. Nothing is made or changed besides, and an alarm "
        "of a database that fires stops it.",
    )


def report(drill: Drill, outcome: Outcome, measured: Measured) -> Group:
    """Lay the plan beside what was seen."""
    calls = _table("function", "reserved", "at once", "answered", "throttled", "refused", "failed")
    for target in drill.targets:
        answers = outcome.seen[target.name].answers
        calls.add_row(
            target.name,
            str(target.reserved),
            _number(measured.concurrency.get(target.name)),
            *(f"{answers[what]:,}" for what in ("answered", "throttled", "refused", "failed")),
        )
    databases = _table("database", "maximum", "budget", "drilled", "seen")
    for plan in drill.plans:
        databases.add_row(
            plan.path,
            str(plan.max_connections),
            str(plan.shared),
            str(sum(target.connections.get(plan.path, 0) for target in drill.targets)),
            _number(measured.connections.get(plan.path)),
        )
    return Group(calls, databases, *sentences(drill, outcome, measured))


def verdict(drill: Drill, outcome: Outcome, measured: Measured) -> Verdict:
    """Judge it."""
    answers = [seen.answers for seen in outcome.seen.values()]
    if outcome.fired:
        return Verdict.STOPPED
    if any(each["refused"] for each in answers) or _above(drill, measured):
        return Verdict.EXCEEDED
    return Verdict.WITHIN if any(each["answered"] for each in answers) else Verdict.NOTHING_SHOWN


def sentences(drill: Drill, outcome: Outcome, measured: Measured) -> list[str]:
    """Say it in words: within the budget or not, and the first limit that bound."""
    said = []
    judged = verdict(drill, outcome, measured)
    if judged is Verdict.STOPPED:
        said.append(f"Stopped: {', '.join(outcome.fired)} fires.")
    if judged is Verdict.NOTHING_SHOWN:
        said.append("Nothing is shown: no call was answered.")
    if judged is Verdict.WITHIN:
        said.append("Within the budget: the database refused nobody.")
    for name, seen in outcome.seen.items():
        if refused := seen.answers["refused"]:
            said.append(f"Not within the budget: the database refused {refused:,} calls of {name}.")
        if seen.error:
            said.append(f"{name} failed first with: {seen.error}")
    said += [
        f"{path} had {seen:g} connections, and its budget with others' is {most}."
        for path, seen, most in _above(drill, measured)
    ]
    throttles = {name: seen.first_throttle for name, seen in outcome.seen.items() if seen.first_throttle is not None}
    if throttles:
        first = min(throttles, key=throttles.__getitem__)
        reserved = next(target.reserved for target in drill.targets if target.name == first)
        said.append(
            f"The first limit that bound was the reserved concurrency of {first}, {reserved}, "
            f"after {throttles[first]:.1f} s."
        )
    elif judged is Verdict.WITHIN:
        said.append(
            "No limit bound: calls end sooner than others begin. Raise --times, or send a payload that takes longer."
        )
    missing = [name for name, number in measured.connections.items() if number is None]
    unknown = [plan.path for plan in drill.plans if plan.path not in measured.connections]
    if missing:
        said.append(f"CloudWatch has no number yet for {', '.join(missing)}: look in a few minutes.")
    if unknown:
        said.append(f"How many connections {', '.join(unknown)} had is not known here: it is no database of this app.")
    return said


def _above(drill: Drill, measured: Measured) -> list[tuple[str, float, int]]:
    """Return the databases that had more connections than their budget, their pools and others may hold."""
    most = {plan.path: plan.shared + plan.external + plan.pools for plan in drill.plans}
    seen = {path: number for path, number in measured.connections.items() if number is not None}
    return [(path, number, most[path]) for path, number in seen.items() if number > most[path]]


def _table(*columns: str) -> Table:
    """Make a table whose first column, of names, is never cut off."""
    table = Table(columns[0])
    table.columns[0].overflow = "fold"
    for column in columns[1:]:
        table.add_column(column, justify="right")
    return table


def _number(number: float | None) -> str:
    return "–" if number is None else f"{number:g}"
