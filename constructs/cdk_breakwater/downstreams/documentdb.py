"""Amazon DocumentDB clusters as downstreams."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import CfnResource, Token
from aws_cdk import aws_docdb as docdb

from .._cdk.references import references
from .._cdk.rendered import rendered, rendered_resources
from ..errors import BreakwaterError
from ..limits.engines import DatabaseEngine
from ..limits.max_connections import MaxConnections, UnknownMaxConnections
from ..limits.service_limits import for_documentdb_serverless
from .downstream import Downstream
from .region_certificates import region_certificates

if TYPE_CHECKING:
    from .database_types import DocumentDbCluster


class DocumentDbDownstream(Downstream):
    """A `docdb.DatabaseCluster`, or what implements its interface.

    Parameters
    ----------
    cluster
        The L2 construct, owned or imported.
    certificate_authority
        Path of a PEM file, for a Region whose roots are not part of this library.
    """

    def __init__(self, cluster: DocumentDbCluster, *, certificate_authority: str | None = None) -> None:
        resource = cluster.node.default_child
        if resource is not None and not isinstance(resource, docdb.CfnDBCluster):
            of = resource.cfn_resource_type if isinstance(resource, CfnResource) else type(resource).__name__
            raise BreakwaterError(
                cluster,
                f"{type(cluster).__name__} of {of} is not a downstream.",
                "Describe it with Downstream.endpoint(…).",
            )
        self._resource = resource
        super().__init__(
            cluster,
            engine=DatabaseEngine.DOCUMENTDB,
            host=cluster.cluster_endpoint.hostname,
            port=self._port() or cluster.cluster_endpoint.port,
            secret=getattr(cluster, "secret", None),
            connectable=cluster,
            certificate_authority=certificate_authority,
        )

    def _port(self) -> int | None:
        # A number rather than the endpoint's attribute, so that the rules of cdk-nag can read it.
        if self._resource is None:
            return None
        port = self._resource.port
        if port is None:
            return DatabaseEngine.DOCUMENTDB.default_port
        return None if Token.is_unresolved(port) else int(port)

    @property
    def tls_ca(self) -> str:
        """Those of the layer: DocumentDB's certificates are signed by RDS's authorities."""
        return "bundled"

    def certificate_authority(self) -> str | None:
        """Return the file that was given, else the roots of the cluster's Region, see `region_certificates`."""
        return super().certificate_authority() or region_certificates(self.construct)

    def _has_instance(self, resource: docdb.CfnDBCluster) -> bool:
        return any(
            target.node.path == resource.node.path
            for instance, _ in rendered_resources(self.construct.node.root, "AWS::DocDB::DBInstance")
            for target in references(instance.db_cluster_identifier, instance)
        )

    def max_connections(self) -> MaxConnections:
        """Take DocumentDB's table for the minimum capacity; for a class, AWS's number has to be given."""
        if self._resource is None:
            msg = "it is imported, so nothing in the app states its max_connections."
            raise UnknownMaxConnections(msg, "Pass max_connections=…")
        if not self._has_instance(self._resource):
            raise UnknownMaxConnections(
                "the cluster has no instance in this app, and without an instance it can't serve connections.",
                'Add docdb.CfnDBInstance(…, db_cluster_identifier=cluster.cluster_identifier, db_instance_class="db.'
                'serverless"), or pass max_connections=…',
            )
        name = "ServerlessV2ScalingConfiguration"
        scaling = rendered(self._resource, name).get(name)
        if scaling is None:
            raise UnknownMaxConnections(
                "DocumentDB's connections follow from the instance class, and its table is not part of this library.",
                "Pass max_connections=… (Amazon DocumentDB Developer Guide, Quotas and limits, Instance limits).",
            )
        return for_documentdb_serverless(scaling["MinCapacity"])
