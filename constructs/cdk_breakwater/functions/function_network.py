"""The network that a function stands in, and the way from there to its databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..network.reachability import warn_of_another_vpc
from ..network.secrets_manager_endpoint import ensure_secrets_manager_endpoint
from ..network.subnet_capacity import SubnetAddresses
from ..network.subnets import without_way_out
from .security_group_rules import allow_to_database

if TYPE_CHECKING:
    from aws_cdk import aws_ec2 as ec2
    from aws_cdk import aws_lambda as lambda_

    from ..downstreams.credentials import DatabaseCredentials
    from ..downstreams.downstream import Downstream


class FunctionNetwork(NamedTuple):
    """Where a function stands."""

    vpc: ec2.IVpc
    subnets: ec2.SubnetSelection
    closed: bool
    """Whether its security groups let out nothing that is not allowed here."""

    def lead_to(self, downstream: Downstream, credentials: DatabaseCredentials, function: lambda_.Function) -> None:
        """Open the way to a database, and to the secret that it is logged in to with."""
        warn_of_another_vpc(function, self.vpc, downstream.server.construct)
        reads_secret = credentials.needs_secrets_manager
        allow_to_database(function, downstream, closed=self.closed, reads_secret=reads_secret)
        if reads_secret and without_way_out(self.vpc, self.subnets):
            ensure_secrets_manager_endpoint(self.vpc, function, self.subnets)
        SubnetAddresses.watch(self.vpc)
