"""ParallelizationFactor: the largest that keeps shards x factor within the mapping's part of the function's share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._cdk.rendered import rendered_number

if TYPE_CHECKING:
    from constructs import IConstruct

    from .buffer import Buffer

# Source: AWS Lambda API Reference, CreateEventSourceMapping.
MAXIMUM_FACTOR = 10


class Parallelism:
    """How many batches of a stream run at once.

    Parameters
    ----------
    invocation
        Whose.
    position
        Its mapping's, among those that divide the function's concurrency.
    shards
        How many there are when it is bound; None where nobody knows.
    stream
        The Kinesis stream's L1 construct, which may be overridden later; None for an imported one and for a table.
    given
        The factor that the user gave.
    """

    def __init__(
        self, invocation: Buffer, position: int, *, shards: int | None, stream: IConstruct | None, given: int | None
    ) -> None:
        self._concurrency = invocation.concurrency
        self._position = position
        self._bound_shards = shards
        self._stream = stream
        self._given = given

    @property
    def shards(self) -> int | None:
        """How many shards the template will say; None where nobody knows."""
        if self._bound_shards is None or self._stream is None:
            return self._bound_shards
        late = rendered_number(self._stream, "ShardCount")
        return self._bound_shards if late is None else late

    @property
    def part(self) -> int:
        """What the mapping may have at once."""
        unknown = self._bound_shards is None
        return self._concurrency.resolve() if unknown else self._concurrency.part(self._position)

    def factor(self) -> int:
        """Return the factor that is derived or given."""
        shards = self.shards
        if self._given is not None or shards is None:
            return self._given or 1
        return min(MAXIMUM_FACTOR, max(1, self.part // shards))

    def maximum_concurrency(self) -> int:
        """Return how many invocations run at once, at most."""
        return self.part if (shards := self.shards) is None else shards * self.factor()
