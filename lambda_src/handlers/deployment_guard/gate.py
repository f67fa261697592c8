"""Before any function of a stack is touched: lower what is to shrink, and answer what CloudFormation may set.

Nobody rises in the first phase of a deployment. What is new takes room that has been freed, and what CloudFormation
puts is never more than what is reserved already; so it may do its work in any order.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import mappings, registry, release, turns
from .account import Refused
from .reservations import fit, held, let_go, lower, raise_

if TYPE_CHECKING:
    from .account import Account, Governed
    from .registry import Registry
    from .table import Row, Table

WITHHELD = "Withheld"
"""The attribute that names who has less than the share when the deployment is done, in words."""
# CloudFormation takes 4,096 bytes, some 480 of them for names and ids; those of 300 functions are among the rest.
_ANSWER_CHARACTERS = 3600
POOL = ""
"""The account's reservable concurrency, as one more budget."""
# How long invocations that began before their function was lowered may go on beside what takes their room.
_LET_GO_SECONDS = 20
# What must stay unreserved. Sources: AWS Lambda Developer Guide, "Configuring reserved concurrency"; small accounts are
# refused with "below its minimum value of [10]".
_UNRESERVED, _UNRESERVED_OF_SMALL_ACCOUNT = 100, 10


def unreserved_minimum(quota: int) -> int:
    """Return what functions must leave of an account's concurrency."""
    return _UNRESERVED if quota > _UNRESERVED else _UNRESERVED_OF_SMALL_ACCOUNT


@dataclass
class _Deployment:
    """What the gate knows while it works, by the functions' names; newcomers have those of their logical ids."""

    stack: str
    table: Table
    old: Table | None
    found: Registry
    budgets: dict[str, int]
    staying: dict[str, str] = field(default_factory=dict)  # logical id to name
    leaving: list[str] = field(default_factory=list)
    new: dict[str, Row] = field(default_factory=dict)
    uses: dict[str, dict[str, int]] = field(default_factory=dict)

    def shrinks(self, budget: str) -> bool:
        """Whether the database itself becomes smaller with this deployment."""
        return self.old is not None and self.table.limits[budget] < self.old.limits.get(budget, 0)

    @property
    def changes(self) -> bool:
        """Whether the table is another one, so that the release of the old one lets everybody rise in the end."""
        return self.old is not None and (self.old.rows, self.old.limits) != (self.table.rows, self.table.limits)

    def changes_mappings(self, row: Row) -> bool:
        """Whether queues are added to a function that stays, or taken from it."""
        before = self.old.rows.values() if self.old else ()
        had = [
            mapping.logical_id
            for old in before
            if old.logical_id == row.logical_id
            for mapping in old.mappings.values()
        ]
        return sorted(had) != sorted(mapping.logical_id for mapping in row.mappings.values())

    @property
    def functions(self) -> dict[str, Governed]:
        return {function.name: function for function in self.found.mine.values()}

    def held(self, name: str) -> int:
        return self.functions[name].held or 0

    def row(self, id_: str) -> Row:
        return next(row for row in self.table.rows.values() if row.logical_id == id_)


def answer(event: dict[str, Any], table: Table, old: Table | None, account: Account) -> dict[str, str]:
    """Do the gate's work, and answer a number for each attribute of the table.

    Raises
    ------
    Refused
        When it cannot be done within the budget; then nothing has been touched.
    """
    name = event["StackId"].split("/")[1]
    own = account.stack(name) or {"StackName": name, "StackStatus": "", "StackId": event["StackId"]}
    goes_back = "ROLLBACK" in own["StackStatus"]
    tables = [table, *([old] if old else [])]
    found = registry.read(account, name, *tables)
    others = {stack for each in tables for stack in each.neighbours}
    others = (others | {function.stack for function in found.others.values() if function.stack}) - {name}
    if not goes_back:
        turns.wait(account, own, others)
        found = registry.read(account, name, *tables)
    deployment = _sort(name, table, old, found, account)
    if goes_back:
        # Every governed function comes after the release: before there is a new one, none has been touched.
        untouched = account.releases_of(name) < 2 and turns.is_first(account, own, others)
        return _go_back(deployment, account, untouched=untouched)
    if event["RequestType"] == "Create" and own["StackStatus"].startswith("UPDATE"):
        _insist_on_a_deployment_of_its_own(deployment)
    return _go_forward(deployment, account)


def _sort(stack: str, table: Table, old: Table | None, found: Registry, account: Account) -> _Deployment:
    """Tell who stays, who leaves and who is new."""
    deployment = _Deployment(stack, table, old, found, dict(found.limits), uses={**found.uses})
    identity = {row.logical_id: row.identity for row in old.rows.values()} if old else {}
    ids = {row.logical_id for row in table.rows.values()}
    for id_, function in found.mine.items():
        deployment.uses[function.name] = {**function.uses, POOL: 1}
        stays = id_ in ids
        if stays and identity.get(id_, deployment.row(id_).identity) != deployment.row(id_).identity:
            # Replaced: the one that is there is this one only if it has its name.
            stays = function.name == deployment.row(id_).function_name
        if stays:
            deployment.staying[id_] = function.name
        else:
            deployment.leaving.append(function.name)
    for row in table.rows.values():
        if row.logical_id not in deployment.staying:
            deployment.new[row.logical_id] = row
            deployment.uses[f"new {row.logical_id}"] = {**row.uses, POOL: 1}
    deployment.budgets[POOL] = sum(function.held or 0 for function in found.mine.values())
    if deployment.new:
        left, quota = account.unreserved()
        deployment.budgets[POOL] += left - unreserved_minimum(quota)
    return deployment


def _go_forward(deployment: _Deployment, account: Account) -> dict[str, str]:
    _insist_on_reservations(deployment)
    names = [*deployment.staying.values(), *deployment.leaving]
    before = {name: deployment.held(name) for name in names}
    targets = {name: deployment.row(id_).share for id_, name in deployment.staying.items()}
    now = lower(before, targets)
    others = deployment.found.others
    if shrinking := [id_ for id_ in deployment.table.here if deployment.shrinks(id_)]:
        _insist_on_others(deployment, shrinking)
        now |= fit(deployment.budgets, deployment.uses, {**now, **_held(others)}, deployment.leaving)
    due = {name: function.due for name, function in others.items()}
    newcomers = {f"new {id_}": (row.minimum, row.share) for id_, row in deployment.new.items()}
    granted: dict[str, int] = {}
    if newcomers:
        everybody = {**now, **due}
        staying = list(deployment.staying.values())
        kept, granted = let_go(deployment.budgets, deployment.uses, everybody, deployment.leaving, newcomers, staying)
        now |= kept
    for id_, row in deployment.new.items():
        if granted[f"new {id_}"] < min(row.minimum, row.share):
            raise Refused(_no_room(deployment, row, {**now, **due}))
    lowered = {name: number for name, number in now.items() if number < before[name]}
    _insist_on_provisioned(deployment, account, lowered)
    answers = _numbers(deployment, now, granted) | _lower_mappings(deployment, account, now, granted)
    _reserve(account, lowered)
    if lowered and newcomers:
        account.sleep(min(_LET_GO_SECONDS, max(deployment.functions[name].timeout for name in lowered)))
    return _with_withheld(deployment, answers, {**now, **granted, **due}, rises=deployment.changes)


def _go_back(deployment: _Deployment, account: Account, *, untouched: bool) -> dict[str, str]:
    """Make room for what CloudFormation may put back: at most the share that each function had."""
    due = {name: deployment.row(id_).share for id_, name in deployment.staying.items()}
    due |= {f"new {id_}": row.share for id_, row in deployment.new.items()}
    leaving = {name: deployment.held(name) for name in deployment.leaving}
    kept = fit(
        {**deployment.budgets, POOL: 10**9},
        deployment.uses,
        {**due, **leaving, **{name: function.due for name, function in deployment.found.others.items()}},
        deployment.leaving,
    )
    now = {name: min(deployment.held(name), due[name]) for name in deployment.staying.values()} | kept
    for id_, name in deployment.staying.items():
        if deployment.functions[name].held is None:
            now[name] = deployment.row(id_).share
    answers = _numbers(deployment, now, due) | _lower_mappings(deployment, account, now, due)
    _reserve(account, {name: number for name, number in now.items() if deployment.functions[name].held != number})
    if untouched:
        kept_ids = {row.logical_id for row in deployment.old.rows.values()} if deployment.old else set()
        gone = {name for id_, name in deployment.staying.items() if id_ not in kept_ids}
        release.restore(deployment.stack, deployment.table, account, gone)
    others = {name: function.due for name, function in deployment.found.others.items()}
    return _with_withheld(deployment, answers, {**due, **now, **others}, rises=True)


def _with_withheld(
    deployment: _Deployment, answers: dict[str, str], now: dict[str, int], *, rises: bool
) -> dict[str, str]:
    """Add who will have less than the share, as far as it can be told before the end.

    Parameters
    ----------
    now
        What everybody has until then.
    rises
        Whether a release follows, which lets them rise.
    """
    ids = {name: id_ for id_, name in deployment.staying.items()} | {f"new {id_}": id_ for id_ in deployment.new}
    targets = {name: deployment.row(id_).share for name, id_ in ids.items()}
    stopped = {name for name in deployment.staying.values() if deployment.functions[name].held == 0}
    if rises:
        remaining = {name: number for name, number in now.items() if name not in deployment.leaving}
        may = {name: share for name, share in targets.items() if name not in stopped}
        now = now | raise_({**deployment.budgets, POOL: 10**9}, deployment.uses, remaining, may)
    said = [
        f"{ids[name]} {now[name]} of {share}{', since it was set to 0' if name in stopped else ''}"
        for name, share in targets.items()
        if now[name] < share
    ]
    holders = [f"{name} {function.due}" for name, function in deployment.found.others.items() if function.due]
    if said and holders:
        said.append(f"beside {', '.join(holders)}")
    text = "; ".join(said) or "nothing"
    taken = sum(len(f'"{key}":"{number}",') for key, number in answers.items()) + len(f'"{WITHHELD}":""')
    left = max(0, _ANSWER_CHARACTERS - taken)
    return answers | {WITHHELD: text if len(text) <= left else f"{text[: max(0, left - 3)]}..."}


def _lower_mappings(
    deployment: _Deployment, account: Account, now: dict[str, int], new: dict[str, int]
) -> dict[str, str]:
    """Lower the mappings of what is lowered, and answer what CloudFormation may set; unchanged ones cost no call."""
    numbers: dict[str, int] = {}
    touched: list[tuple[str, Row | None]] = [
        (name, None) for name in deployment.leaving if now[name] < deployment.held(name)
    ]
    for row in deployment.table.rows.values():
        name = deployment.staying.get(row.logical_id)
        if name is None:
            numbers |= mappings.answers(row, new[f"new {row.logical_id}"])
        elif deployment.changes_mappings(row) or (row.mappings and now[name] < deployment.held(name)):
            touched.append((name, row))
        else:
            numbers |= mappings.answers(row, now[name])
    ids = account.mappings_of(deployment.stack) if touched else {}
    for name, row in touched:
        numbers |= mappings.lower(account, name, row, now[name], ids)
    return {key: str(number) for key, number in numbers.items()}


def _reserve(account: Account, numbers: dict[str, int]) -> None:
    for name, number in numbers.items():
        account.reserve(name, number)
        logging.getLogger(__name__).info("%s lowered to %s", name, number)


def _numbers(deployment: _Deployment, now: dict[str, int], new: dict[str, int]) -> dict[str, str]:
    """Answer every attribute, since what GetAtt does not find breaks the stack for good."""
    return {
        key: str(
            now[deployment.staying[row.logical_id]]
            if row.logical_id in deployment.staying
            else new[f"new {row.logical_id}"]
        )
        for key, row in deployment.table.rows.items()
    }


def _held(functions: dict[str, Governed]) -> dict[str, int]:
    return {name: function.held or 0 for name, function in functions.items()}


def _insist_on_reservations(deployment: _Deployment) -> None:
    for function in (*deployment.found.mine.values(), *deployment.found.others.values()):
        if function.held is None and function.share is not None:
            budget = deployment.table.titles.get(next(iter(function.uses), ""), "")
            limit = min((deployment.budgets[id_] for id_ in function.uses if id_ in deployment.budgets), default=0)
            raise Refused(
                f"{function.name} has no reserved concurrency any more, so nothing bounds its connections to {budget} "
                f"(budget {limit}). Set it to {function.share} or delete the function, then deploy again."
            )


def _insist_on_others(deployment: _Deployment, shrinking: list[str]) -> None:
    """Refuse a database that becomes smaller than what functions of other stacks hold, which are theirs to lower."""
    for id_ in shrinking:
        limit, others = deployment.budgets[id_], held(id_, deployment.uses, _held(deployment.found.others))
        if others > limit:
            stacks = _stacks(deployment)
            raise Refused(
                f"{deployment.table.titles[id_]} is to have a budget of {limit}, but {stacks} still holds {others}. "
                f"Deploy {stacks} first, with its smaller shares."
            )


def _insist_on_provisioned(deployment: _Deployment, account: Account, lowered: dict[str, int]) -> None:
    for name, number in lowered.items():
        provisioned = account.provisioned(name)
        if number < provisioned:
            raise Refused(
                f"{name} cannot go from {deployment.held(name)} to {number}: its aliases and versions have provisioned "
                f"concurrency {provisioned}. Lower that to {number} first."
            )


def _insist_on_a_deployment_of_its_own(deployment: _Deployment) -> None:
    """Refuse changes together with the guard: what goes back then knows no gate."""
    reserved = {id_: name for id_, name in deployment.staying.items() if deployment.functions[name].held is not None}
    changed = [f"{name} {deployment.held(name)} to {deployment.row(id_).share}" for id_, name in reserved.items()
               if deployment.held(name) != deployment.row(id_).share]  # fmt: skip
    changed += [f"{id_} (new)" for id_ in deployment.new if reserved]
    if changed:
        raise Refused(
            f"The guard is new in stack {deployment.stack}, and shares change with it: {', '.join(changed)}. Turn it "
            "on in a deployment that changes nothing else, then deploy the rest."
        )


def _no_room(deployment: _Deployment, row: Row, now: dict[str, int]) -> str:
    short = [
        id_
        for id_, each in {**row.uses, POOL: 1}.items()
        if deployment.budgets[id_] - held(id_, deployment.uses, now) < each * min(row.minimum, row.share)
    ]
    id_ = short[0] if short else next(iter(row.uses))
    if id_ == POOL:
        return (
            f"{row.logical_id} (new) needs {row.minimum} of the account's reservable concurrency, and "
            f"{max(0, deployment.budgets[POOL] - held(POOL, deployment.uses, now))} are left. Raise the quota, or "
            "lower others first."
        )
    limit, title = deployment.budgets[id_], deployment.table.titles.get(id_, "")
    others = held(id_, deployment.uses, {name: now[name] for name in deployment.found.others})
    if others:
        stacks = _stacks(deployment)
        return (
            f"{row.logical_id} (new) is to get {row.share} of {limit}, but {stacks} still holds {others} of {title}. "
            f"Deploy {stacks} first: cdk deploy {stacks} && cdk deploy {deployment.stack}."
        )
    names = sorted([*deployment.staying.values(), *deployment.leaving])
    fixed = ", ".join(f"{name} {deployment.held(name)}" for name in names)
    return (
        f"{row.logical_id} (new) needs {row.minimum} of {title}'s budget of {limit}, and nothing may be lowered for "
        f"it: {fixed}. Deploy twice: first without {row.logical_id}, then with it."
    )


def _stacks(deployment: _Deployment) -> str:
    stacks = {function.stack for function in deployment.found.others.values() if function.held and function.stack}
    return ", ".join(sorted(stacks)) or "another app"
