"""Sources of another account, which must let the function read, and of another Region, which it cannot read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Annotations, Stack, Token

from ..errors import BreakwaterError

if TYPE_CHECKING:
    from aws_cdk import IResource

    from .buffer import Buffer


def check_environment(invocation: Buffer, source: IResource, arn: str, policy: str, actions: tuple[str, ...]) -> None:
    """Compare a source's account and Region with the function's, where both are known.

    Parameters
    ----------
    invocation
        Whose source.
    source
        A queue, stream or table.
    arn
        Its ARN: an imported table's environment is that of its stack.
    policy
        What the other account must set, such as "the queue's policy".
    actions
        What it must allow.

    Raises
    ------
    BreakwaterError
        When it is of another Region: Lambda reads its own alone (AWS Lambda Developer Guide, "Using Lambda with Amazon
        SQS").
    """
    if Token.is_unresolved(arn):
        return
    here = Stack.of(invocation.function)
    _, _, _, region, account, *_ = arn.split(":")
    if _differ(here.region, region):
        raise BreakwaterError(
            invocation,
            f"{source.node.path} is in {region} and {invocation.function.node.path} in {here.region}, and Lambda "
            "reads only sources in its own Region.",
            "Put a function there, or have an EventBridge rule bring the records here.",
        )
    if _differ(here.account, account):
        Annotations.of(invocation).add_warning_v2(
            "cdk-breakwater:foreign-source",
            f"{source.node.path} is of account {account}, which must set {policy}: allow {', '.join(actions)} to "
            f"the role of {invocation.function.node.path}, in account {here.account}, before this is deployed; and "
            "kms:Decrypt in the policy of its key, where it is encrypted with one.",
        )


def _differ(here: str, there: str) -> bool:
    return not Token.is_unresolved(here) and here != there
