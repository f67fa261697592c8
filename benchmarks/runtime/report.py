"""The table, and the goals beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.runtime.cases import CASES

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.runtime.cases import Result

Goal = tuple[str, "Callable[[Result, dict[str, Result]], bool | None]"]


COLUMNS = (
    "strategy",
    "success %",
    "ok/s",
    "p50 ms",
    "p99 ms",
    "max ms",
    "opened per 1,000",
    "statements",
    "held after the pause",
)


UNAWAITED = {"mariadb": 2, "postgresql": 1}
"""Statements of an invocation for whose answers nobody waits: the two marks of MariaDB, and PostgreSQL's RESET."""


def _failures(result: Result) -> int:
    return len(result.second.failures) + len(result.ten.failures)


_NO_FAILURE: Goal = ("no failure", lambda ours, _: _failures(ours) == 0)
_RECOVERED: Goal = (
    "full throughput within 1 s",
    lambda ours, _: ours.recovered_after is not None and ours.recovered_after <= 1,
)
GOALS: dict[str, list[Goal]] = {
    "limit": [
        _NO_FAILURE,
        (
            "ok/s >= 0.98 x keep open",
            lambda ours, all_: ours.second.ok_per_second >= 0.98 * all_["keep open, ping"].second.ok_per_second,
        ),
        (
            "opens no more than keep open",
            lambda ours, all_: ours.opened_per_1000 <= all_["keep open, ping"].opened_per_1000 + 0.5,
        ),
    ],
    "no limit": [
        (">= 99.9 % success", lambda ours, _: ours.second.success_percent >= 99.9),
        (
            "ahead of serverless-* in success, ok/s and p99",
            lambda ours, all_: all(
                ours.second.success_percent >= other.second.success_percent
                and ours.second.ok_per_second > other.second.ok_per_second
                and ours.second.percentile(99) < other.second.percentile(99)
                for name, other in all_.items()
                if name.startswith("serverless")
            ),
        ),
    ],
    "deployment": [
        _NO_FAILURE,
        (
            "ok/s >= 0.95 x open and close",
            lambda ours, all_: ours.second.ok_per_second >= 0.95 * all_["open and close"].second.ok_per_second,
        ),
        (
            "p99 below serverless-*",
            lambda ours, all_: all(
                ours.second.percentile(99) < other.second.percentile(99)
                for name, other in all_.items()
                if name.startswith("serverless")
            ),
        ),
        ("at most 40 opened per 1,000", lambda ours, _: ours.opened_per_1000 <= 40),
    ],
    "failover": [_NO_FAILURE, _RECOVERED],
    "address": [_NO_FAILURE, _RECOVERED],
    "freeze": [_NO_FAILURE],
    "half open": [_NO_FAILURE],
    "neighbour": [_NO_FAILURE],
}


def table(engine: str, results: list[Result]) -> str:
    """Write the results as Markdown, case by case, with the goals and whether they were met."""
    lines: list[str] = []
    for case, description in CASES.items():
        found = {result.strategy: result for result in results if result.case == case}
        if not found:
            continue
        lines += [
            f"**{engine}, {case}**: {description}.",
            "",
            f"| {' | '.join(COLUMNS)} |",
            f"|{'---|' * len(COLUMNS)}",
        ]
        for name, result in found.items():
            second = result.second
            statements = "" if result.statements is None else f"{result.statements:.2f}"
            lines.append(
                f"| {name} | {second.success_percent:.1f} | {second.ok_per_second:.0f} | {second.percentile(50):,.0f} "
                f"| {second.percentile(99):,.0f} | {second.percentile(100):,.0f} | {result.opened_per_1000:.0f} "
                f"| {statements} | {result.held_after_pause} |"
            )
        lines.append("")
        ours = found.get("breakwater")
        if ours is not None and ours.recovered_after is not None:
            lines += [f"breakwater is back at full throughput {ours.recovered_after:.2f} s after the server.", ""]
        if ours is not None:
            lines += [f"- {goal}: {_verdict(met, ours, found)}" for goal, met in GOALS[case]]
            if case == "limit" and ours.statements is not None:
                verdict = "met" if round(ours.statements - UNAWAITED[engine], 1) == 3.0 else "**missed**"
                lines.append(f"- waits for the answers to 3.0 statements per invocation: {verdict}")
            lines.append("")
    return "\n".join(lines)


def _verdict(met: Callable[[Result, dict[str, Result]], bool | None], ours: Result, found: dict[str, Result]) -> str:
    try:
        verdict = met(ours, found)
    except KeyError as missing:
        return f"{missing.args[0]} was not measured"
    if verdict is None:
        return "not counted by this server"
    return "met" if verdict else "**missed**"
