"""A quota that other apps know by its name: what its stack exports, and what theirs import.

The name is one of CloudFormation's exports. So a deployed quota can be given a name, and no resource is replaced by
that. CloudFormation deletes nothing that another stack imports.
"""

from __future__ import annotations

import re
from functools import cached_property, partial
from typing import TYPE_CHECKING

from aws_cdk import CfnOutput, Fn, Token
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from .._cdk.arguments import FLAG, TEXT, require
from .._cdk.late_validation import validate_at_synth
from .._cdk.nested_stacks import outermost_stack
from ..errors import BreakwaterError
from .keys import plans_grant
from .queues import send_grant
from .slots import let_acquire

if TYPE_CHECKING:
    from aws_cdk import aws_iam as iam
    from aws_cdk import aws_lambda as lambda_
    from constructs import IConstruct

    from .._cdk.parameter_types import Function
    from .invocation import QuotaThrottledInvocation

QUEUE, PRIORITY_QUEUE, TABLE, ACQUIRER = "queue", "priority-queue", "table", "acquirer"
# With what stands around it, within the 255 letters, digits, colons and hyphens of an export: AWS CloudFormation User
# Guide, "Outputs".
_NAME = re.compile(r"[A-Za-z0-9-]{1,200}")


def check_name(where: IConstruct, quota_name: str) -> None:
    """Refuse what can't be part of an export's name.

    Raises
    ------
    BreakwaterError
        With the name.
    """
    require(where, {"quota_name": quota_name}, {"quota_name": TEXT}, needed=("quota_name",))
    if not (Token.is_unresolved(quota_name) or _NAME.fullmatch(quota_name)):
        raise BreakwaterError(
            where,
            f"quota_name={quota_name!r} can't be part of an export's name.",
            "Use letters, digits and hyphens, up to 200.",
        )


def export_parts(quota: QuotaThrottledInvocation, quota_name: str, acquirer: lambda_.Function | None) -> None:
    """Let other stacks of the account and Region import what `ImportedQuota` needs.

    Parameters
    ----------
    quota, quota_name
        Which, and its name.
    acquirer
        Hands out its slots; None with keys, of which there are plans in its place.
    """
    validate_at_synth(quota, partial(_twice, quota, quota_name))
    arns = {QUEUE: quota.queue.queue_arn}
    if quota.priority_queue:
        arns[PRIORITY_QUEUE] = quota.priority_queue.queue_arn
    arns |= {ACQUIRER: acquirer.function_arn} if acquirer else {TABLE: quota.table.table_arn}
    for part, arn in arns.items():
        words = "".join(word.capitalize() for word in part.split("-"))
        CfnOutput(quota, f"{words}Export", value=arn, export_name=_export(quota_name, part))


class ImportedQuota(Construct):
    """A quota of another app; see `QuotaThrottledInvocation.from_quota_name`."""

    def __init__(self, scope: Construct, id: str, quota_name: str, *, ordered: bool, priority: bool) -> None:
        super().__init__(scope, id)
        check_name(self, quota_name)
        flags = {"ordered": ordered, "priority": priority}
        require(self, flags, dict.fromkeys(flags, FLAG), needed=flags)
        validate_at_synth(self, self._early)
        self._name = quota_name
        self._ordered = ordered
        self._priority = priority

    @cached_property
    def queue(self) -> sqs.IQueue:
        """What producers send to."""
        return self._queue("Queue", QUEUE)

    @cached_property
    def priority_queue(self) -> sqs.IQueue | None:
        """The same for messages that overtake all others; None without a priority."""
        return self._queue("PriorityQueue", PRIORITY_QUEUE) if self._priority else None

    @cached_property
    def table(self) -> dynamodb.ITable:
        """The table of a quota with keys, for its plans."""
        return dynamodb.Table.from_table_arn(self, "Table", self._arn(TABLE))

    def grant_send(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow sending to `queue`, and to `priority_queue` if there is one."""
        return send_grant(self, self.queue, self.priority_queue, grantee)

    def grant_plans(self, grantee: iam.IGrantable) -> iam.Grant:
        """See `QuotaThrottledInvocation.grant_plans`."""
        return plans_grant(self, self.table, grantee)

    def grant_acquire(self, function: Function, *, name: str | None = None) -> None:
        """See `QuotaThrottledInvocation.grant_acquire`."""
        arn = self._arn(ACQUIRER)
        let_acquire(self, function, name, target=arn, arn=arn)

    def _early(self) -> list[str]:
        """Say that nothing deploys a quota of this app before what imports it."""
        stack = outermost_stack(self).node
        earlier = {other.node.addr for other in outermost_stack(self).dependencies}
        problems = []
        for quota in _named(self, self._name):
            its = outermost_stack(quota).node
            advice = "" if its.addr == stack.addr else f", or let the stack {stack.path} depend on {its.path}"
            if its.addr not in earlier:
                problems.append(
                    f"{self._name!r} is the name of {quota.node.path} in this app, and nothing says that it is "
                    f"deployed first. Use that construct itself{advice}."
                )
        return problems

    def _queue(self, id: str, part: str) -> sqs.IQueue:
        return sqs.Queue.from_queue_attributes(self, id, queue_arn=self._arn(part), fifo=self._ordered)

    def _arn(self, part: str) -> str:
        return Fn.import_value(_export(self._name, part))


def _named(where: IConstruct, quota_name: str) -> list[QuotaThrottledInvocation]:
    """Return the quotas of a name that this app deploys to the same account and Region, as far as is known."""
    from .invocation import QuotaThrottledInvocation

    def place(construct: IConstruct) -> str:
        stack = outermost_stack(construct)
        known = not any(Token.is_unresolved(each) for each in (quota_name, stack.account, stack.region))
        return stack.environment if known else stack.node.addr

    constructs = where.node.root.node.find_all()
    quotas = [each for each in constructs if isinstance(each, QuotaThrottledInvocation)]
    return [quota for quota in quotas if quota.quota_name == quota_name and place(quota) == place(where)]


def _twice(quota: QuotaThrottledInvocation, quota_name: str) -> list[str]:
    first = _named(quota, quota_name)[0]
    if first is quota:
        return []
    return [
        f"quota_name={quota_name!r} is the name of {first.node.path} already, in the same account and Region. Give "
        "each quota a name of its own."
    ]


def _export(quota_name: str, part: str) -> str:
    return f"breakwater:quota:{quota_name}:{part}"
