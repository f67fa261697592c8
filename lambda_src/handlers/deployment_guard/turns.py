"""Deployments of stacks that share a budget take turns, the one that began first goes first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .account import Refused

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .account import Account

WAIT_SECONDS = 600
_PAUSE_SECONDS = 5
# A stack that stopped halfway may go back at any time, to numbers that were its own before.
_STUCK = ("UPDATE_ROLLBACK_FAILED", "UPDATE_FAILED")
_SETTLED = ("DELETE_IN_PROGRESS", "REVIEW_IN_PROGRESS")


def wait(account: Account, own: dict[str, Any], others: Iterable[str]) -> None:
    """Wait until no stack that began before this one is being deployed.

    Raises
    ------
    Refused
        When one takes longer than ten minutes, or is stuck.
    """
    for name in sorted(others):
        waited = 0
        while (stack := account.stack(name)) is not None and _goes_first(stack, own):
            status = stack["StackStatus"]
            if status in _STUCK or waited >= WAIT_SECONDS:
                verb = "is stuck" if status in _STUCK else "is being deployed"
                raise Refused(
                    f"Stack {name} {verb} on the same database ({status} since {_began(stack)}). Deploy "
                    f"{own['StackName']} when it is done."
                )
            account.sleep(_PAUSE_SECONDS)
            waited += _PAUSE_SECONDS


def is_first(account: Account, own: dict[str, Any], others: Iterable[str]) -> bool:
    """Whether no stack that began before this one is being deployed."""
    stacks = [account.stack(name) for name in sorted(others)]
    return not any(stack is not None and _goes_first(stack, own) for stack in stacks)


def _goes_first(stack: dict[str, Any], own: dict[str, Any]) -> bool:
    status = stack["StackStatus"]
    if status in _STUCK:
        return True
    if status in _SETTLED or not status.endswith("_IN_PROGRESS"):
        return False
    return (_began(stack), stack["StackId"]) < (_began(own), own["StackId"])


def _began(stack: dict[str, Any]) -> Any:
    return stack.get("LastUpdatedTime") or stack["CreationTime"]
