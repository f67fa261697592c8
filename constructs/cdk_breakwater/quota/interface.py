"""A quota as those see it who send to it or take slots of it, whether this app has made it or another one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_iam as iam
    from aws_cdk import aws_sqs as sqs

    from .._cdk.parameter_types import Function


class IQuotaThrottledInvocation(Protocol):
    """A `QuotaThrottledInvocation`, or what `QuotaThrottledInvocation.from_quota_name` returns."""

    @property
    def queue(self) -> sqs.IQueue | sqs.Queue:
        """What producers send to."""
        ...

    @property
    def priority_queue(self) -> sqs.IQueue | sqs.Queue | None:
        """The same for messages that overtake all others; None without a priority."""
        ...

    @property
    def table(self) -> dynamodb.ITable | dynamodb.Table:
        """The table with the plans of keys."""
        ...

    def grant_send(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow sending to `queue`, and to `priority_queue` if there is one."""
        ...

    def grant_plans(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow writing and deleting plans of keys in `table`, and nothing else there."""
        ...

    def grant_acquire(self, function: Function, *, name: str | None = None) -> None:
        """Let a function that cannot wait in a queue take slots: `breakwater_runtime.acquire(context)`."""
        ...
