"""Calls to a third party that never exceed what it grants, and lose nothing that waits."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

from aws_cdk import Duration, RemovalPolicy, Stack
from constructs import Construct

from .._cdk.arguments import FLAG, FUNCTION, Kind, require
from .._cdk.environments import require_same_environment
from .._cdk.function_qualifiers import unqualified
from .._cdk.late_validation import validate_at_synth
from .._cdk.lazy import lazy_number
from .._cdk.whole_numbers import required_number
from ..errors import BreakwaterError
from ..limits.sqs import MAXIMUM_BATCH_WITHOUT_WINDOW, MAXIMUM_CONCURRENCY, MINIMUM_CONCURRENCY
from .call_length import dispatcher_timeout, longest_call
from .counters import MOST_HANDS, divide
from .environment_size import require_room
from .functions import INTAKE_TIMEOUT, make_function, map_queue
from .guarded_function import guard_function
from .keys import check_keys, deployed_tiers, keyed_setting, plans_grant
from .queues import QuotaQueues, send_grant
from .reachable_rate import annotate_rate, calls_per_second, dispatcher_memory
from .reserved_environments import annotate_environments, reserved_at_last, reserved_so_far
from .rights import grant_functions
from .table import make_table
from .tier import QuotaTier, check_tiers, fingerprint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_cloudwatch as cloudwatch
    from aws_cdk import aws_iam as iam
    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_sqs as sqs
    from constructs import IConstruct

    from .._cdk.parameter_types import Function
    from ..monitoring.alarm_target import AlarmTarget
    from .counters import Division
    from .interface import IQuotaThrottledInvocation


def _are_tiers(value: object) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(each, QuotaTier) for each in value)


def _keeps_or_deletes(value: object) -> bool:
    # Source: AWS CloudFormation Template Reference, "DeletionPolicy attribute": no snapshots of tables and queues.
    return isinstance(value, RemovalPolicy) and value is not RemovalPolicy.SNAPSHOT


_TIERS = Kind("a list of QuotaTier(limit=…, period=…)", _are_tiers)
_ARGUMENTS = {
    "function": FUNCTION,
    "tiers": _TIERS,
    "key_tiers": _TIERS,
    "ordered": FLAG,
    "priority": FLAG,
    "removal_policy": Kind("RemovalPolicy.DESTROY, RETAIN or RETAIN_ON_UPDATE_OR_DELETE", _keeps_or_deletes),
}
_INTAKE_MIB = 256
_INTAKE_BATCH = 100
_INTAKE_WINDOW = Duration.seconds(1)
"""Messages wait so long at most before they are filed together: a page for many costs little more than one for one."""
_FORMER = 100
"""In order: lanes that an older release filled have these numbers, and go before all others."""


class QuotaThrottledInvocation(Construct):
    """Invoke a function with one message at a time, as fast as every tier of a quota allows, never faster.

    Messages go to `queue` and wait on a shelf in DynamoDB, for as long as it takes. A dispatcher takes slots and
    messages from there in one conditional write, and invokes the function with an SQS event of one record. It counts a
    call from the moment its slot is taken until its end, so that no window holds more calls than its limit, wherever in
    that interval the provider counts.

    A plain function in Python 3.10 or newer gets the layer with `breakwater_runtime`, unless it has a `RuntimeLayer`
    already.

    A function tells the dispatcher what the provider said by raising `breakwater_runtime.RetryAfter` or `QuotaSpent`.
    Every other exception is a failure: tried again with backoff, and in the dead-letter queue after `max_attempts`.

    Parameters
    ----------
    scope, id
        Where it stands in the construct tree.
    function
        Makes one call to the provider per message. Its timeout must be known. An alias or a version is called as such.
    tiers
        The limits, all of which hold at once.
    key
        Each tenant, account or API key has a quota of its own, below `tiers`, which all share: where the key of a
        message stands. A path in its body (``"$.tenant"``), the name of a message attribute, or ``"message group"``.
        Default: there are no keys. Once deployed, it may be changed and not taken away.
    key_tiers
        The limits of each key. Needed with `key`.
    ordered
        Strictly in order per message group, in FIFO queues. Default: False.
    lanes
        The backlog is spread over so many lanes by message group; they share the quota round-robin, so that the
        backlog of one tenant doesn't starve the others. Default: 1.
    priority
        Adds `priority_queue`, whose messages overtake all others. Default: False.
    max_attempts
        Failures of a message before it goes to the dead-letter queue. Default: 5.
    parallelism
        Calls in flight, no more than the function's reserved concurrency. Beyond 100 they need several counters, of
        which there are up to 999 (see "Many calls a second" in docs/quota.md). Default: two seconds' worth of calls,
        from 10 to 100 for each counter.
    quota_name
        Other apps of the account and Region use it by this name: `from_quota_name`. It names no resource, and may be
        given to a quota that is deployed. Default: it has none.
    removal_policy
        Of all that holds messages and counts calls: the table and the queues, the dead-letter queue included. DESTROY
        deletes what waits and what failed when the construct is removed, and also when it gets another id, which is a
        new quota: it knows no call of the old one, and may exceed the limits within a period. RETAIN keeps them;
        nothing calls what is left there, until you move it. Default: DESTROY.

    Attributes
    ----------
    queue, priority_queue, dead_letter_queue : sqs.Queue
        What producers send to, and where failures end with their reason. `priority_queue` is None without a priority.
    table : dynamodb.Table
        The counters, and what waits.
    dispatcher, intake : lambda_.Function
        The functions between queue and function.
    quota_name : str, optional
        As it was given.
    counters : int
        Among how many counters the limits are divided, each with a dispatcher of its own: one for each 250 calls a
        second, and for each 100 in flight. One with `ordered`, `key` or weights. A quota that has been used keeps the
        number with which it began.

    Raises
    ------
    BreakwaterError
        For tiers that contradict each other, values out of their range, a function whose timeout is unknown or too long
        for a dispatcher to wait for, one of another account or Region, or one that stands behind another quota already.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        function: Function,
        tiers: Sequence[QuotaTier],
        key: str | None = None,
        key_tiers: Sequence[QuotaTier] | None = None,
        ordered: bool = False,
        lanes: int = 1,
        priority: bool = False,
        max_attempts: int = 5,
        parallelism: int | None = None,
        quota_name: str | None = None,
        removal_policy: RemovalPolicy = RemovalPolicy.DESTROY,
    ) -> None:
        super().__init__(scope, id)
        given = {
            "function": function,
            "tiers": tiers,
            "key_tiers": key_tiers,
            "ordered": ordered,
            "priority": priority,
            "removal_policy": removal_policy,
        }
        require(self, given, _ARGUMENTS, needed=_ARGUMENTS.keys() - {"key_tiers"})
        require_same_environment(self, function, "a dispatcher calls it in its own account and Region")
        # jsii's Function is no IFunction in the eyes of a type checker.
        self.function = cast("lambda_.IFunction", function)
        self.tiers = list(tiers)
        check_tiers(self, self.tiers)
        self.key = key
        asked = {"ordered": ordered, "lanes": lanes != 1, "priority": priority}
        self.key_tiers = check_keys(self, key, key_tiers, tiers=tiers, others=asked)
        check_tiers(self, self.key_tiers or self.tiers)
        environments = reserved_so_far(unqualified(function))
        ranges = (("lanes", lanes, 32), ("max_attempts", max_attempts, 1_000))
        lanes, max_attempts = (_in_range(self, name, value, most) for name, value, most in ranges)
        whole = ordered or key is not None or any(tier.weight for tier in self.tiers)
        division = divide(self, self.tiers, parallelism, whole=whole, environments=environments)
        self.counters, at_once = division.counters, division.within(environments)
        longest = longest_call(self, function)
        timeout = dispatcher_timeout(longest)
        tiers_setting = [tier.setting() for tier in self.tiers]
        keyed = keyed_setting(key, self.key_tiers)
        window = Duration.seconds(0) if ordered else _INTAKE_WINDOW
        queues = QuotaQueues(
            self,
            "Queues",
            ordered=ordered,
            lanes=lanes,
            priority=priority,
            tiers=fingerprint(deployed_tiers(tiers_setting, keyed)),
            dispatcher_timeout=timeout,
            intake_timeout=INTAKE_TIMEOUT,
            window=window,
            removal_policy=removal_policy,
        )
        self._queues = queues
        self.queue: sqs.Queue = queues.queue
        self.priority_queue: sqs.Queue | None = queues.priority_queue
        self.dead_letter_queue: sqs.Queue = queues.dead_letter_queue
        self.table = make_table(self, removal_policy)
        numbers = list(range(1, lanes + 1))
        former = {lane: _FORMER + number if ordered else number for number, lane in enumerate(queues.lanes, start=1)}
        if queues.priority_lane:
            former[queues.priority_lane] = _FORMER if ordered else 0
        feeds = {
            **{door: [0] if door is queues.priority_queue else numbers for door in queues.doors},
            **{lane: [number] for lane, number in former.items()},
        }
        others: dict[str, Any] = {
            "name": self.node.path,
            "first": [*(sorted(former.values()) if ordered else []), 0],
            "ordered": ordered,
            "parallelism": at_once,
            "longest_call": longest,
            "max_attempts": max_attempts,
            "tiers": tiers_setting,
            **keyed,
            **({"counters": self.counters} if self.counters > 1 else {}),
        }
        require_room(self, feeds, [*(former if ordered else []), queues.dead_letter_queue, queues.doorbell], others)
        # In this order, so that an upgrade leaves the variable as it is.
        settings = {
            "name": others["name"],
            "table": self.table.table_name,
            "function": function.function_arn,
            "lanes": {queue.queue_arn: found for queue, found in feeds.items()},
            "first": others["first"],
            "former": [lane.queue_url for lane in former] if ordered else [],
            "dead_letters": queues.dead_letter_queue.queue_url,
            "doorbell": queues.doorbell.queue_url,
            **others,
            "parallelism": lazy_number(lambda: division.within(reserved_at_last(unqualified(function)))),
        }
        environment = {"BREAKWATER_QUOTA": Stack.of(self).to_json_string(settings)}
        self._environment = environment
        self.intake = make_function(
            self,
            "Intake",
            handler="intake.handler",
            timeout=INTAKE_TIMEOUT,
            memory_size=_INTAKE_MIB,
            environment=environment,
        )
        self.dispatcher = make_function(
            self,
            "Dispatcher",
            handler="dispatcher.handler",
            timeout=timeout,
            memory_size=dispatcher_memory(
                calls_per_second(self.tiers) / self.counters, at_once / self.counters, has_keys=bool(key)
            ),
            environment=environment,
        )
        # A dispatcher of the release before knows nothing of the shelf that a newer intake fills.
        self.intake.node.add_dependency(self.dispatcher)
        for queue in feeds:
            map_queue(
                self.intake,
                f"{queue.node.id}Mapping",
                queue,
                batch_size=MAXIMUM_BATCH_WITHOUT_WINDOW if ordered else _INTAKE_BATCH,
                # Two intakes file more than one dispatcher calls.
                max_concurrency=max(MINIMUM_CONCURRENCY, self.counters),
                window=None if ordered else _INTAKE_WINDOW,
            )
        # A second dispatcher of a counter finds the first one awake and leaves. Where there are several counters, only
        # the table knows how many: with fewer dispatchers at once, the others would wait while these are busy.
        most = MINIMUM_CONCURRENCY if self.counters == 1 else MAXIMUM_CONCURRENCY
        map_queue(self.dispatcher, "DoorbellMapping", queues.doorbell, batch_size=1, max_concurrency=most)
        grant_functions(self, queues)
        guard_function(self, unqualified(function))
        validate_at_synth(self, partial(self._annotate, division, longest))
        self.quota_name = quota_name
        if quota_name is not None:
            self._export(quota_name)

    @staticmethod
    def from_quota_name(
        scope: Construct, id: str, quota_name: str, *, ordered: bool = False, priority: bool = False
    ) -> IQuotaThrottledInvocation:
        """Use a quota that another app has deployed with a `quota_name`, in the same account and Region.

        Within an app, pass the construct itself.

        Parameters
        ----------
        scope, id
            Where it stands in the construct tree.
        quota_name
            As the quota was given it. The deployment fails if there is no such quota.
        ordered, priority
            As the quota was given them.

        Raises
        ------
        BreakwaterError
            For what can't be such a name.
        """
        from .quota_name import ImportedQuota

        return ImportedQuota(scope, id, quota_name, ordered=ordered, priority=priority)

    def grant_send(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow sending to `queue`, and to `priority_queue` if there is one."""
        return send_grant(self, self.queue, self.priority_queue, grantee)

    def grant_plans(self, grantee: iam.IGrantable) -> iam.Grant:
        """Allow writing and deleting plans of keys in `table`, and nothing else there.

        A plan lowers the limits of `key_tiers` for one key, or for all that have none of their own, without a
        deployment. See "Plans" in docs/quota.md for the item.

        Raises
        ------
        BreakwaterError
            When it has no keys.
        """
        if not self.key:
            raise BreakwaterError(self, "it has no keys, and plans are of keys.", "Give key= and key_tiers=.")
        return plans_grant(self, self.table, grantee)

    def grant_acquire(self, function: Function, *, name: str | None = None) -> None:
        """Let a function that cannot wait in a queue call the provider itself: `breakwater_runtime.acquire(context)`.

        It takes a slot from the quota's counter, or hears how long that would take. A plain Python function gets the
        layer with `breakwater_runtime`, unless it has a `RuntimeLayer` already.

        Parameters
        ----------
        function
            Which; one that this app creates, in Python 3.10 or newer. One in a container image or with a runtime of its
            own brings `breakwater_runtime` itself.
        name
            `breakwater_runtime.acquire(context, name=…)`, for a function with several quotas. Letters, digits and
            underscores; part of the variable `BREAKWATER_<NAME>_ACQUIRE`. Default: it has one.

        Raises
        ------
        BreakwaterError
            For another kind of function or runtime, one of another account or Region, the one that stands behind the
            quota or waits for that one's deployment, a name that is not right, or one that is taken.
        """
        if self.key:
            raise BreakwaterError(
                self,
                f"it has a quota for each key={self.key!r}, and slots of these are for messages alone.",
                "Send a message, or give callers that can't wait a quota of their own.",
            )
        from .slots import let_acquire

        acquirer, behind = self._acquirer(), unqualified(self.function)
        target, arn = acquirer.function_name, acquirer.function_arn
        let_acquire(self, function, name, target=target, arn=arn, behind=behind)

    def alarms(self, topic_or_action: AlarmTarget | None = None) -> list[cloudwatch.Alarm]:
        """Add alarms, once: for dead letters, a message not filed for ten days, a failing intake or dispatcher.

        Parameters
        ----------
        topic_or_action
            The action of each alarm: an SNS topic, or any alarm action. Default: none; the alarms show in the console.
        """
        from .alarms import quota_alarms

        return quota_alarms(self, self._queues, topic_or_action)

    def widgets(self) -> list[cloudwatch.IWidget]:
        """Return widgets: calls per tier against the limit, backlog, and time until drained at today's rate."""
        from .alarms import quota_widgets

        return quota_widgets(self, self._queues)

    def dashboard_widgets(self) -> list[cloudwatch.IWidget]:
        """Return `widgets()`, under its older name."""
        return self.widgets()

    def _annotate(self, division: Division, longest: int) -> None:
        environments = reserved_at_last(unqualified(self.function))
        annotate_environments(self, division, environments)
        parallelism = division.within(environments)
        annotate_rate(self, parallelism, min(parallelism, MOST_HANDS * self.counters), environments, longest)

    def _acquirer(self) -> lambda_.Function:
        from .slots import acquirer_of

        return acquirer_of(self, self._queues.doorbell, self._environment)

    def _export(self, quota_name: str) -> None:
        from .quota_name import check_name, export_parts

        check_name(self, quota_name)
        acquirer = None if self.key else self._acquirer()
        export_parts(self, quota_name, acquirer)


def _in_range(where: IConstruct, name: str, value: int, most: int) -> int:
    number = required_number(where, name, value)
    if number > most:
        raise BreakwaterError(where, f"{name}={value} is out of range.", f"It is a whole number from 1 to {most}.")
    return number
