"""IAM database authentication of RDS and Aurora: who may log in as whom, and whether the database takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Stack

from ..errors import BreakwaterError

if TYPE_CHECKING:
    from aws_cdk import aws_iam as iam

    from .rds import RdsDownstream


def grant_iam_login(downstream: RdsDownstream, grantee: iam.IGrantable, user: str) -> iam.Grant:
    """Allow a grantee to log in as one user, and turn IAM authentication on where the database is of this app.

    Raises
    ------
    BreakwaterError
        When the engine has none, when it was turned off, or when the database is imported without its resource id.
    """
    engine, resource = downstream.engine, downstream.resource
    # Source: Amazon RDS User Guide, "IAM database authentication for MariaDB, MySQL, and PostgreSQL".
    if not (engine.is_mysql or engine.is_postgresql):
        raise BreakwaterError(
            downstream.construct,
            f"IAM database authentication as {user!r} is for MySQL, MariaDB and PostgreSQL, and it is {engine.value}.",
            "Pass credentials=DatabaseCredentials.secret(…).",
        )
    if resource is not None:
        # Not the L1's attribute: an instance's L2 passes a lazy value, and jsii takes it for an empty struct.
        given = Stack.of(resource).resolve(resource._cfn_properties.get("enableIamDatabaseAuthentication"))
        if given is False:
            raise BreakwaterError(
                downstream.construct,
                f"iam_authentication=False is given, and a function logs in as {user!r} by IAM.",
                "Leave it out, or pass credentials=DatabaseCredentials.user(…).",
            )
        if downstream.is_cluster and given is None:
            # A cluster's L2 grants, and leaves the rest to its owner.
            resource.enable_iam_database_authentication = True
    try:
        return downstream.database.grant_connect(grantee, user)
    except RuntimeError as missing:  # what an exception of jsii becomes
        if resource is not None:
            raise
        raise BreakwaterError(
            downstream.construct,
            f"it is imported without its resource id, which the permission to log in as {user!r} names.",
            "Import it with cluster_resource_identifier='cluster-…'."
            if downstream.is_cluster
            else "Import it with instance_resource_id='db-…'.",
        ) from missing
