"""`breakwater redrive STACK`: try again what failed for good, once its cause is fixed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import BreakwaterError
from .redrive_failed_records import FailedRecords
from .stack_resources import stack_resources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.table import Table

    Client = Callable[[str], Any]


class Redrivable(Protocol):
    """What failed for good, and the way back."""

    @property
    def construct(self) -> str:
        """The path of the construct that keeps it."""

    @property
    def kept_in(self) -> str:
        """Where it is."""

    @property
    def goes_to(self) -> str:
        """Where it is tried again."""

    @property
    def waiting(self) -> int:
        """How many messages, or batches of records."""

    @property
    def state(self) -> str:
        """What became of the redrive before this one, if that is known."""

    def redrive(self, client: Client) -> str:
        """Try it again, and tell what became of it."""


@dataclass(frozen=True)
class DeadLetters:
    """Messages in a dead-letter queue, which SQS itself moves back.

    Attributes
    ----------
    arn, destination
        ARNs of the dead-letter queue and of its source; None where there are several: SQS knows each message's own.
    """

    construct: str
    arn: str
    destination: str | None
    waiting: int
    state: str

    @property
    def kept_in(self) -> str:
        """The dead-letter queue's name."""
        return _name(self.arn)

    @property
    def goes_to(self) -> str:
        """The queue's name."""
        return _name(self.destination) if self.destination else "the queues they came from"

    def redrive(self, client: Client) -> str:
        """Start the move; SQS goes on with it by itself, for up to 36 hours."""
        if self.state.startswith("moving"):
            return self.state
        destination = {"DestinationArn": self.destination} if self.destination else {}
        client("sqs").start_message_move_task(SourceArn=self.arn, **destination)
        return "move started"


def find_failures(stack: str, client: Client, construct: str | None = None) -> list[Redrivable]:
    """Find the dead-letter queues of a stack, and the buckets with failed records of its streams.

    Parameters
    ----------
    stack
        The name of a deployed stack; its nested stacks belong to it.
    client
        Makes a client of a service by name.
    construct
        The path of a construct, to look at what is beneath it alone.

    Raises
    ------
    BreakwaterError
        When there are none.
    """
    resources = list(_resources(stack, client("cloudformation")))
    chosen = {path for path, _, _ in resources if construct is None or f"{path}/".startswith(f"{construct}/")}
    found: list[Redrivable] = [
        *_dead_letters(resources, chosen, client("sqs")),
        *_failed_records(resources, chosen, client),
    ]
    if not found:
        raise BreakwaterError(
            stack if construct is None else f"{stack}, beneath {construct}",
            "there is no dead-letter queue, and no bucket of failed records.",
            "Name the stack of a DecoupledInvocation, and its path there as in the cloud assembly.",
        )
    return found


def redrive_table(found: list[Redrivable], results: list[str] | None = None) -> Table:
    """Lay it out for a terminal, with the results where there are any."""
    from rich.table import Table

    table = Table("construct", "kept in", "waiting", "goes to", "state" if results is None else "result")
    for each, result in zip(found, results or [each.state for each in found], strict=True):
        table.add_row(each.construct, each.kept_in, f"{each.waiting:,}", each.goes_to, result)
    return table


def _resources(stack: str, cloudformation: Any) -> Iterator[tuple[str, str, str]]:
    """Give the construct's path, the type and the physical id of each resource."""
    body = cloudformation.get_template(StackName=stack)["TemplateBody"]
    described = body.get("Resources", {}) if isinstance(body, dict) else {}
    for resource in stack_resources(cloudformation, stack):
        physical = resource.get("PhysicalResourceId")
        if not physical:  # a deployment that failed
            continue
        if resource["ResourceType"] == "AWS::CloudFormation::Stack":
            yield from _resources(physical, cloudformation)
        metadata = described.get(resource["LogicalResourceId"], {}).get("Metadata", {})
        path = metadata.get("aws:cdk:path", resource["LogicalResourceId"])
        yield path.removesuffix("/Resource"), resource["ResourceType"], physical


def _dead_letters(resources: list[tuple[str, str, str]], chosen: set[str], sqs: Any) -> Iterator[DeadLetters]:
    names = ["QueueArn", "RedrivePolicy", "ApproximateNumberOfMessages"]
    queues = [
        (path, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"])
        for path, type_, url in resources
        if type_ == "AWS::SQS::Queue"
    ]
    targets = {
        queue["QueueArn"]: json.loads(queue.get("RedrivePolicy", "{}")).get("deadLetterTargetArn")
        for _, queue in queues
    }

    def origins(arn: str) -> list[str]:
        """Look past queues that a message only passes on its way, as before a front door's."""
        sources = [source for source, target in targets.items() if target == arn]
        return [origin for source in sources for origin in origins(source) or [source]]

    for path, queue in queues:
        sources = origins(queue["QueueArn"])
        if sources and path in chosen and not targets[queue["QueueArn"]]:
            yield DeadLetters(
                path,
                queue["QueueArn"],
                sources[0] if len(sources) == 1 else None,
                int(queue["ApproximateNumberOfMessages"]),
                _state(sqs.list_message_move_tasks(SourceArn=queue["QueueArn"]).get("Results", [])),
            )


def _state(tasks: list[dict[str, Any]]) -> str:
    if not tasks:
        return ""
    task = tasks[0]  # the newest comes first
    moved = f"{task.get('ApproximateNumberOfMessagesMoved', 0):,}"
    if task["Status"] == "RUNNING":
        return f"moving: {moved} of {task.get('ApproximateNumberOfMessagesToMove', 0):,}"
    return f"last move {task['Status'].lower()}: {task.get('FailureReason') or moved}"


def _failed_records(resources: list[tuple[str, str, str]], chosen: set[str], client: Client) -> Iterator[FailedRecords]:
    for path, type_, uuid in resources:
        if type_ != "AWS::Lambda::EventSourceMapping" or path not in chosen:
            continue
        mapping = client("lambda").get_event_source_mapping(UUID=uuid)
        destination = mapping.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination", "")
        if ":s3:" in destination:
            yield FailedRecords.of(path, _name(destination), uuid, mapping["FunctionArn"], client("s3"))


def _name(arn: str) -> str:
    return arn.rsplit(":", 1)[-1]
