"""Clusters of Aurora DSQL as downstreams; the CDK has an L1 construct for them alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_iam as iam

from ..limits.engines import DatabaseEngine
from ..limits.service_limits import for_engine
from .downstream import Downstream

if TYPE_CHECKING:
    from aws_cdk import aws_dsql as dsql

    from ..limits.max_connections import MaxConnections

# Source: Aurora DSQL User Guide, "Accessing Aurora DSQL with PostgreSQL-compatible clients".
_DATABASE = "postgres"
# The one role that is there from the start, with an action of its own. Source: the same guide, "Using database roles
# and IAM authentication".
_ADMIN = "admin"


class DsqlDownstream(Downstream):
    """A `dsql.CfnCluster`: public, TLS and IAM always on, no password.

    Parameters
    ----------
    cluster
        The L1 construct.
    """

    def __init__(self, cluster: dsql.CfnCluster) -> None:
        super().__init__(
            cluster,
            engine=DatabaseEngine.AURORA_DSQL,
            host=cluster.attr_endpoint,
            port=DatabaseEngine.AURORA_DSQL.default_port,
            database_name=_DATABASE,
        )
        self._arn = cluster.attr_resource_arn

    def grant_connect(self, grantee: iam.IGrantable, user: str) -> iam.Grant:
        """Allow a grantee to connect; which role it may take, the cluster knows: `AWS IAM GRANT role TO 'arn'`."""
        return iam.Grant.add_to_principal(
            grantee=grantee,
            actions=["dsql:DbConnectAdmin" if user == _ADMIN else "dsql:DbConnect"],
            resource_arns=[self._arn],
        )

    def max_connections(self) -> MaxConnections:
        """Take the cluster's quota."""
        return for_engine(self.engine)
