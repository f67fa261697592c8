"""Event source mappings: which function reads from what."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .assembly import Assembly
    from .template import Resource

_STREAMS = (
    "AWS::Kinesis::Stream",
    "AWS::Kinesis::StreamConsumer",
    "AWS::DynamoDB::Table",
    "AWS::DynamoDB::GlobalTable",
)


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

    def _is(self, *types: str, service: str) -> bool:
        if self.source is not None:
            return self.source.type in types
        return service in str(self.mapping.properties.get("EventSourceArn"))


def event_sources(assembly: Assembly) -> Iterator[EventSource]:
    """Give every event source mapping."""
    for mapping in assembly.resources("AWS::Lambda::EventSourceMapping"):
        # The name of an alias is put together from that of its version: whatever it refers to, it is one function.
        named = {function_of(reference.resource) for reference in mapping.references("FunctionName")} - {None}
        yield EventSource(mapping, named.pop() if len(named) == 1 else None, mapping.target("EventSourceArn"))


def function_of(resource: Resource | None) -> Resource | None:
    """Give the function behind an alias or a version."""
    while resource is not None and resource.type in ("AWS::Lambda::Alias", "AWS::Lambda::Version"):
        resource = resource.target("FunctionName")
    return resource if resource is not None and resource.type == "AWS::Lambda::Function" else None
