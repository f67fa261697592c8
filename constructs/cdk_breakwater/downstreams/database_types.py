"""What may be named as a database, for type checkers and editors.

Classes stand beside their interfaces: in the eyes of a type checker a class of jsii implements none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TypeAlias

    from aws_cdk import aws_docdb as docdb
    from aws_cdk import aws_dsql as dsql
    from aws_cdk import aws_elasticache as elasticache
    from aws_cdk import aws_rds as rds

    from .downstream import Downstream

    RdsInstance: TypeAlias = (
        rds.DatabaseInstance
        | rds.DatabaseInstanceFromSnapshot
        | rds.DatabaseInstanceReadReplica
        | rds.IDatabaseInstance
    )
    Proxy: TypeAlias = rds.DatabaseProxy | rds.IDatabaseProxy
    RdsCluster: TypeAlias = rds.DatabaseCluster | rds.DatabaseClusterFromSnapshot | rds.IDatabaseCluster
    DocumentDbCluster: TypeAlias = docdb.DatabaseCluster | docdb.IDatabaseCluster
    Database: TypeAlias = (
        RdsInstance
        | RdsCluster
        | DocumentDbCluster
        | elasticache.CfnReplicationGroup
        | elasticache.CfnServerlessCache
        | dsql.CfnCluster
        | Downstream
    )
