"""What the account says while a drill goes on, and after it: alarms of databases, and CloudWatch's numbers."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from .stack_resources import stack_resources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from .drill import Outcome
    from .drill_plan import Drill

    Client = Callable[[str], Any]

# The namespace and the dimension of their metrics.
_DATABASES = {
    "AWS::RDS::DBInstance": ("AWS/RDS", "DBInstanceIdentifier"),
    "AWS::RDS::DBCluster": ("AWS/RDS", "DBClusterIdentifier"),
    "AWS::DocDB::DBCluster": ("AWS/DocDB", "DBClusterIdentifier"),
}
_NESTED = "AWS::CloudFormation::Stack"
_OF_DATABASES = {"AWS/RDS", "AWS/DocDB", "AWS/Neptune", "AWS/ElastiCache"}
_PERIOD = 60
_ALARMS_AT_ONCE = 100
"""Amazon CloudWatch API Reference, "DescribeAlarms"."""
_POLL_SECONDS = 15.0


@dataclass(frozen=True)
class Measured:
    """CloudWatch's numbers of the time of a drill; None where it has none.

    Attributes
    ----------
    concurrency
        By target: the most at once.
    connections
        By the budget's path: the most at once.
    """

    concurrency: dict[str, float | None] = field(default_factory=dict)
    connections: dict[str, float | None] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Whether there is every number."""
        return all(
            number is not None for numbers in (self.concurrency, self.connections) for number in numbers.values()
        )


class Watch:
    """The alarms and metrics of an app's databases.

    Parameters
    ----------
    paths
        The logical ids of the app's resources by their paths, by the name of their stack. A stack may not be deployed.
    client
        Makes the client of a service.
    alarms
        Names of further alarms that end a drill.

    Attributes
    ----------
    databases
        Path, type and physical id of each.
    alarms
        The names of those that are looked at.
    """

    def __init__(self, paths: Mapping[str, Mapping[str, str]], client: Client, alarms: Iterable[str] = ()) -> None:
        self._cloudwatch = client("cloudwatch")
        self.databases: list[tuple[str, str, str]] = []
        names = [*alarms]
        for stack, known in paths.items():
            for type_, path, physical_id in _resources(client("cloudformation"), stack, known):
                if type_ == "AWS::CloudWatch::Alarm":
                    names.append(physical_id)
                elif type_ in _DATABASES and path:
                    self.databases.append((path, type_, physical_id))
        self._asked_for = {*alarms}
        self.alarms = names

    def firing(self) -> tuple[str, ...]:
        """Name the alarms that fire now: those asked for, and the stacks' on what their databases measure."""
        found: list[str] = []
        for first in range(0, len(self.alarms), _ALARMS_AT_ONCE):
            some = self.alarms[first : first + _ALARMS_AT_ONCE]
            alarms = self._cloudwatch.describe_alarms(AlarmNames=some, StateValue="ALARM")["MetricAlarms"]
            found += [
                alarm["AlarmName"] for alarm in alarms if alarm["AlarmName"] in self._asked_for or _of_database(alarm)
            ]
        return tuple(found)

    def measured(self, drill: Drill, outcome: Outcome, patience: float) -> Measured:
        """Ask CloudWatch for its numbers until they are there, which takes a minute or two, or patience is over."""
        until = time.monotonic() + patience
        while True:
            measured = self._measure(drill, outcome)
            left = until - time.monotonic()
            if measured.whole or left <= 0:
                return measured
            time.sleep(min(left, _POLL_SECONDS))

    def _measure(self, drill: Drill, outcome: Outcome) -> Measured:
        measured = Measured()
        for target in drill.targets:
            function = ("FunctionName", target.function)
            measured.concurrency[target.name] = self._most("AWS/Lambda", "ConcurrentExecutions", function, outcome)
        for plan in drill.plans:
            for path, type_, physical_id in self.databases:
                if path.startswith(f"{plan.path}/"):
                    namespace, dimension = _DATABASES[type_]
                    measured.connections[plan.path] = self._most(
                        namespace, "DatabaseConnections", (dimension, physical_id), outcome
                    )
                    break
        return measured

    def _most(self, namespace: str, name: str, dimension: tuple[str, str], outcome: Outcome) -> float | None:
        began = datetime.fromtimestamp(outcome.began // _PERIOD * _PERIOD, timezone.utc)
        points = self._cloudwatch.get_metric_statistics(
            Namespace=namespace,
            MetricName=name,
            Dimensions=[{"Name": dimension[0], "Value": dimension[1]}],
            StartTime=began,
            EndTime=datetime.fromtimestamp(outcome.ended, timezone.utc) + timedelta(seconds=_PERIOD),
            Period=_PERIOD,
            Statistics=["Maximum"],
        )["Datapoints"]
        return max((point["Maximum"] for point in points), default=None)


def _of_database(alarm: dict[str, Any]) -> bool:
    metrics = [each.get("MetricStat", {}).get("Metric", {}) for each in alarm.get("Metrics", ())]
    return any(
        metric.get("Namespace") in _OF_DATABASES or metric.get("MetricName") == "ServerConnections"
        for metric in (alarm, *metrics)
    )


def _resources(
    cloudformation: Any, stack: str, known: Mapping[str, str], scope: str = ""
) -> Iterator[tuple[str, str, str]]:
    """Give type, path and physical id of a deployed stack's resources, and of those of the stacks nested in it."""
    try:
        resources = list(stack_resources(cloudformation, stack))
    except cloudformation.exceptions.ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":  # it is not deployed
            return
        raise
    for resource in resources:
        physical_id, type_ = resource.get("PhysicalResourceId"), resource["ResourceType"]
        if not physical_id:
            continue
        id_ = resource["LogicalResourceId"]
        # Stacks nested in one another may have resources of the same id, further down.
        paths = [path for path, known_id in known.items() if known_id == id_ and path.startswith(scope)]
        path = min(paths, key=len, default="")
        yield type_, path, physical_id
        if type_ == _NESTED:
            # The CDK calls it Scope/Name.NestedStack/Name.NestedStackResource, and what is in it Scope/Name/….
            inner = f"{path.rpartition('.NestedStack/')[0]}/" if ".NestedStack/" in path else scope
            yield from _resources(cloudformation, physical_id, known, inner)
