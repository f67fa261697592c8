"""Any endpoint as a downstream, as its user describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._cdk.whole_numbers import required_number
from ..errors import BreakwaterError
from ..limits.max_connections import MaxConnections, UnknownMaxConnections
from ..limits.service_limits import for_atlas_tier, for_engine
from .downstream import Downstream

if TYPE_CHECKING:
    from constructs import Construct, IConstruct

    from ..limits.engines import DatabaseEngine


class EndpointDownstream(Downstream):
    """A server that is no construct of this app. Made with `Downstream.endpoint`."""

    def __init__(self, construct: Construct, max_connections: MaxConnections, **options: Any) -> None:
        super().__init__(construct, **options)
        self._max_connections = max_connections
        if self.connectable is not None:
            from aws_cdk import aws_ec2 as ec2

            # A security group of its own knows no default port, and `allow_to_default_port` needs one.
            self.connectable = ec2.Connections(
                security_groups=[options["connectable"]], default_port=ec2.Port.tcp(self.port)
            )

    def max_connections(self) -> MaxConnections:
        """Return what was given, or the engine's limit."""
        return self._max_connections


def endpoint_limit(
    where: IConstruct, engine: DatabaseEngine, max_connections: int | None, atlas_tier: str | None
) -> MaxConnections:
    """Find the limit of an endpoint from what its user gave.

    Parameters
    ----------
    where
        The construct that an error names.
    engine
        The engine.
    max_connections, atlas_tier
        As for `Downstream.endpoint`.

    Raises
    ------
    BreakwaterError
        When both are given, or neither and the engine's limit depends on more; when a number or a tier is wrong.
    """
    if max_connections is not None and atlas_tier is not None:
        raise BreakwaterError(
            where, f"both max_connections={max_connections} and atlas_tier={atlas_tier!r} are given.", "Give one."
        )
    if max_connections is not None:
        return MaxConnections(required_number(where, "max_connections", max_connections), "max_connections given")
    try:
        return for_engine(engine) if atlas_tier is None else for_atlas_tier(atlas_tier)
    except UnknownMaxConnections as unknown:
        raise BreakwaterError(where, unknown.problem, unknown.remedy) from unknown
