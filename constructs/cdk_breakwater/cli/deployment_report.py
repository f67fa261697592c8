"""What `breakwater plan --diff` says: as a table, as JSON, as the Markdown of a pull request's comment."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .deployment_diff import FITS

if TYPE_CHECKING:
    from rich.console import Group

    from .deployment_diff import BudgetDiff, Diff, Move, PoolDiff

NOTHING = "No share changes: the deployment puts no number that was not there before."


def advice(diff: Diff, budget: BudgetDiff) -> list[str]:
    """Say what to do about one budget, in sentences."""
    said = []
    orphans: dict[str, int] = {}
    for move in budget.moves:
        if move.orphaned and move.stack:
            orphans[move.stack] = orphans.get(move.stack, 0) + move.after
    said += [
        f"The stack {stack} is not in the app any more, and its functions keep {total} connections for good: "
        f"cdk destroy {stack}, or aws cloudformation delete-stack --stack-name {stack}."
        for stack, total in orphans.items()
    ]
    if budget.guarded:
        fits = "and what cannot be done so is refused before anything is touched"
        return [*said, f"Guarded: at every instant at most {budget.shared}, {fits}."]
    return said + _about_sums(diff, budget) + _about_followers(budget)


def _about_followers(budget: BudgetDiff) -> list[str]:
    """Say what CloudFormation changes on the wrong side of its function."""
    said = [
        f"{move.name} falls before the MaximumConcurrency of its queues does: for some seconds up to {move.in_vain} "
        "batches at once are received only to be throttled, and each spends a receive of its messages. Lower the "
        "mapping in a deployment of its own before this one, or guard the budget."
        for move in budget.moves
        if move.in_vain
    ]
    said += [
        f"The user {user.name} is limited to {user.after} connections before its functions fall from {user.held}: "
        "until they do, the server refuses new ones beyond that. Lower the functions in a deployment of their own "
        "before this one (concurrency=…), or guard the budget."
        for user in budget.users
    ]
    return said


def _about_sums(diff: Diff, budget: BudgetDiff) -> list[str]:
    said: list[str] = []
    if budget.worst <= budget.shared:
        return ["It fits at every instant, in whichever order it is done, and in a rollback."]
    if budget.only_falls and budget.after <= budget.shared:
        said.append(f"There are {budget.before} already, and the deployment brings nothing but less.")
    elif budget.in_order <= budget.shared:
        order = " && ".join(f"cdk deploy {stack}" for stack in diff.order)
        said.append(
            f"Deploy one stack after the other, in this order: {order}. In another order, or at once, up to "
            f"{budget.worst}."
        )
    elif budget.before > budget.shared >= budget.after:
        said.append(
            f"The database's limit falls while {budget.before} are reserved. Deploy in two steps: first the smaller "
            "shares, with ConnectionBudget.of(database, utilization=…) and the limit as it is; then the limit."
        )
    elif budget.after <= budget.shared:
        said.append(_two_steps(budget))
        if {"leaves", "new"} <= {move.change for move in budget.moves}:
            said.append(
                "If what leaves and what is new are one function under another name: cdk refactor moves it, and there "
                "is never a second one."
            )
    said += [
        f"{stack} deployed alone leaves {total} of {budget.shared} until {_others(diff, stack)} deployed, too."
        for stack, total in budget.alone.items()
    ]
    return said


def _two_steps(budget: BudgetDiff) -> str:
    falling = [f"{move.name} {move.after}" for move in budget.moves if move.change == "falls"]
    held = [f"{move.name} {move.before}" for move in budget.moves if move.change == "rises"]
    new = [move.name for move in budget.moves if move.change == "new"]
    leaving = [move.name for move in budget.moves if move.change == "leaves"]
    parts = [
        f"lower {', '.join(falling)}" if falling else "",
        f"leave {', '.join(held)} where they are" if held else "",
        f"delete {', '.join(leaving)}" if leaving else "",
    ]
    gap = f" From the one to the other {', '.join(new)} has nothing." if leaving and new else ""
    first = "; ".join(part for part in parts if part)
    then = [f"make {', '.join(new)}" if new else "", "let what is to rise do so" if held else ""]
    return (
        f"Deploy in two steps, neither of which can exceed {budget.shared}, nor its rollback: first {first}; "
        f"then {' and '.join(part for part in then if part)}. `breakwater plan --diff … --first-step cdk.out.first` "
        f"writes the first as an app: cdk deploy --app cdk.out.first --all.{gap}"
    )


def _others(diff: Diff, stack: str) -> str:
    others = [other for other in diff.order if other != stack]
    return f"{', '.join(others)} {'is' if len(others) == 1 else 'are'}"


def instant(budget: BudgetDiff) -> str:
    """Say how far the worst instant is from what there is."""
    if budget.guarded:
        return f"at most {budget.shared} of {budget.shared}, by the guard"
    text = f"{budget.worst} of {budget.shared}"
    if budget.worst > budget.usable:
        return f"{text}, and more than the {budget.usable} that the database takes"
    return f"{text}, above the budget" if budget.worst > budget.shared else text


def pool_sentence(pool: PoolDiff) -> str:
    """Say what is wrong with an account's reservations."""
    what = "needs" if pool.after > pool.limit else "needs for a moment"
    return (
        f"{pool.environment}: the deployment {what} {pool.worst} of the {pool.limit} that its quota lets functions "
        "reserve. Lambda refuses what is beyond, and CloudFormation rolls back. Deploy in two steps, or raise the "
        "quota."
    )


def table(diff: Diff) -> Group:
    """Draw it."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    parts: list[Table | Text] = []
    for budget in diff.budgets:
        drawn = Table(title=f"[bold]{budget.path}[/]", title_justify="left")
        drawn.add_column("share", overflow="fold", min_width=14)
        drawn.add_column("stack", overflow="fold")
        for name in ("before", "after", "at worst"):
            drawn.add_column(name, justify="right", no_wrap=True)
        drawn.add_column("")
        for move in _sorted(budget):
            drawn.add_row(move.name, move.stack or "", *map(str, _numbers(move)), _change(move))
        drawn.add_section()
        worst = budget.shared if budget.guarded else budget.worst
        drawn.add_row("all", f"of {budget.shared}", str(budget.before), str(budget.after), str(worst), "")
        style = "" if budget.severity == FITS else "red"
        parts += [drawn, Text(f"At the worst instant {instant(budget)}.", style=style)]
        parts += [Text(sentence) for sentence in advice(diff, budget)]
    parts += [Text(pool_sentence(pool), style="red") for pool in diff.pools]
    return Group(*(parts or [Text(NOTHING)]))


def markdown(diff: Diff) -> str:
    """Write it for a pull request's comment."""
    lines = ["### Connections while this is deployed", ""]
    for budget in diff.budgets:
        sign = "✅" if budget.severity == FITS else "⚠️"
        lines += [
            f"{sign} **{budget.path}**: at the worst instant {instant(budget)}.",
            "",
            "| share | stack | before | after | at worst | |",
            "|---|---|--:|--:|--:|---|",
            *(
                f"| {move.name} | {move.stack or ''} | {' | '.join(map(str, _numbers(move)))} | {_change(move)} |"
                for move in _sorted(budget)
            ),
            f"| **all** | of {budget.shared} | {budget.before} | {budget.after} "
            f"| {budget.shared if budget.guarded else budget.worst} | |",
            "",
            *(f"- {sentence}" for sentence in advice(diff, budget)),
            "",
        ]
    lines += [f"⚠️ {pool_sentence(pool)}" for pool in diff.pools]
    return "\n".join(lines if diff.budgets or diff.pools else [*lines, NOTHING])


def as_json(diff: Diff) -> str:
    """Write it for programs."""
    budgets: list[dict[str, Any]] = [
        {
            **{key: value for key, value in asdict(budget).items() if key != "moves"},
            "severity": budget.severity,
            "advice": advice(diff, budget),
            "moves": [asdict(move) for move in budget.moves],
        }
        for budget in diff.budgets
    ]
    found = {
        "severity": diff.severity,
        "order": diff.order,
        "budgets": budgets,
        "pools": [asdict(p) for p in diff.pools],
    }
    return json.dumps(found, indent=2, ensure_ascii=False)


def _sorted(budget: BudgetDiff) -> list[Move]:
    places = ("new", "rises", "falls", "leaves", "stays")
    return sorted(budget.moves, key=lambda move: (places.index(move.change), move.name))


def _numbers(move: Move) -> tuple[int, int, int]:
    return move.before, move.after, max(move.before, move.after)


def _change(move: Move) -> str:
    return "stays: its stack is not in the app" if move.orphaned else "" if move.change == "stays" else move.change
