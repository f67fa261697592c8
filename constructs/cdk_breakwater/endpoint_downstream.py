"""Any endpoint as a downstream, as its user describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .downstream import Downstream

if TYPE_CHECKING:
    from constructs import Construct

    from .max_connections import MaxConnections


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
