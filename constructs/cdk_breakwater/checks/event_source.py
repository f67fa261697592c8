"""Event source mappings: which function reads from what."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from .answers import known_text
from .resource import as_text

if TYPE_CHECKING:
    from .assembly import Assembly
    from .resource import Resource

_STREAMS = (
    "AWS::Kinesis::Stream",
    "AWS::Kinesis::StreamConsumer",
    "AWS::DynamoDB::Table",
    "AWS::DynamoDB::GlobalTable",
)
_FUNCTION = "AWS::Lambda::Function"
MAPPING = "AWS::Lambda::EventSourceMapping"


class EventSource(NamedTuple):
    """A mapping and its two ends, as far as they are in the templates."""

    mapping: Resource
    function: Resource | None
    source: Resource | None

    @property
    def is_queue(self) -> bool:
        """Whether it polls SQS."""
        return self._is("AWS::SQS::Queue", service=":sqs:")

    @property
    def is_stream(self) -> bool:
        """Whether it reads a stream of Kinesis or DynamoDB."""
        return self._is(*_STREAMS, service=":kinesis:") or self._is(service=":dynamodb:")

    @property
    def is_kafka(self) -> bool:
        """Whether it reads a cluster of Amazon MSK."""
        return self._is("AWS::MSK::Cluster", "AWS::MSK::ServerlessCluster", service=":kafka:")

    @property
    def stream(self) -> Resource | None:
        """The stream or table that it reads, also by a registered consumer."""
        if self.source is not None and self.source.type == "AWS::Kinesis::StreamConsumer":
            return self.source.target("StreamARN")
        return self.source if self.is_stream else None

    @property
    def arn(self) -> str:
        """The ARN of its source, as far as it is known."""
        return known_text(as_text(self.mapping.get("EventSourceArn")))

    @property
    def enabled(self) -> bool:
        """Whether it polls; one of which that isn't known does."""
        return self.mapping.flag("Enabled", default=True) is not False

    @property
    def reader(self) -> str:
        """The name of the function, or of the mapping where that is elsewhere."""
        return self.function.name if self.function else self.mapping.name

    def _is(self, *types: str, service: str) -> bool:
        if self.source is not None:
            return self.source.type in types
        return service in self.arn


def event_sources(assembly: Assembly) -> list[EventSource]:
    """Give every event source mapping."""
    return assembly.choices.cached(
        "event sources", lambda: [event_source(each) for each in assembly.resources(MAPPING)]
    )


def sources_of(function: Resource) -> list[EventSource]:
    """Give the mappings that call a function."""
    return _by_end(function.template.assembly)[0].get(function, [])


def readers_of(source: Resource) -> list[EventSource]:
    """Give the mappings that read a queue or stream."""
    return _by_end(source.template.assembly)[1].get(source, [])


def _by_end(assembly: Assembly) -> tuple[dict[Resource, list[EventSource]], dict[Resource, list[EventSource]]]:
    return assembly.choices.cached("event sources by their ends", lambda: _index(assembly))


def _index(assembly: Assembly) -> tuple[dict[Resource, list[EventSource]], dict[Resource, list[EventSource]]]:
    by_function: defaultdict[Resource, list[EventSource]] = defaultdict(list)
    by_source: defaultdict[Resource, list[EventSource]] = defaultdict(list)
    for source in event_sources(assembly):
        if source.function is not None:
            by_function[source.function].append(source)
        if source.source is not None:
            by_source[source.source].append(source)
    return dict(by_function), dict(by_source)


def event_source(mapping: Resource) -> EventSource:
    """Give the two ends of a mapping."""
    function = function_of(mapping.target("FunctionName", of=_FUNCTION))
    if function is None:
        # The name of an alias is put together from that of its version: whatever it refers to, it is one function.
        named = {function_of(reference.resource) for reference in mapping.references("FunctionName")} - {None}
        function = named.pop() if len(named) == 1 else None
    return EventSource(mapping, function, mapping.target("EventSourceArn"))


def function_of(resource: Resource | None) -> Resource | None:
    """Give the function behind an alias or a version."""
    for _ in range(10):  # an alias that refers to itself has none
        if resource is None or resource.type not in ("AWS::Lambda::Alias", "AWS::Lambda::Version"):
            break
        resource = resource.target("FunctionName", of=_FUNCTION)
    return resource if resource is not None and resource.type == _FUNCTION else None
