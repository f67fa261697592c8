"""What the account says of databases whose template doesn't: the class, and the parameter that limits connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..checks.server_limit import DeployedServer, is_told, limiting_parameter
from ..checks.servers import servers
from .stack_resources import stack_resources

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..checks import Assembly
    from ..checks.resource import Resource
    from ..checks.servers import Server

_INSTANCE, _CLUSTER = "AWS::RDS::DBInstance", "AWS::RDS::DBCluster"


def read_databases(assembly: Assembly, stack: str, client: Callable[[str], Any]) -> Iterator[str]:
    """Ask the account for what the template of a stack doesn't tell; give a line for each answer that is denied.

    Parameters
    ----------
    assembly
        The stack's template; the answers are kept there.
    stack
        Its name.
    client
        Makes the client of a service.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    untold = [server for server in servers(assembly) if _is_of_rds(server) and not is_told(server)]
    if not untold:
        return
    try:
        made = {
            resource["LogicalResourceId"]: resource.get("PhysicalResourceId", "")
            for resource in stack_resources(client("cloudformation"), stack)
            if resource["ResourceType"] in (_INSTANCE, _CLUSTER)
        }
    except (BotoCoreError, ClientError) as error:
        yield f"{stack}: its databases can't be asked for their limits ({_said(error)})"
        return
    rds = client("rds")
    for server in untold:
        parameter = limiting_parameter(server)
        for resource in {server.resource, *server.instances}:
            try:
                found = _deployed(rds, resource, made.get(resource.logical_id, ""), parameter)
            except (BotoCoreError, ClientError) as error:
                yield f"{stack}: {resource.name} can't be asked for its limit ({_said(error)})"
                break
            if found is not None:
                assembly.deployed[resource] = found


def _is_of_rds(server: Server) -> bool:
    return server.resource.type in (_INSTANCE, _CLUSTER) and limiting_parameter(server) != ""


def _deployed(rds: Any, resource: Resource, physical_id: str, parameter: str) -> DeployedServer | None:
    if not physical_id:
        return None
    if resource.type == _CLUSTER:
        (cluster,) = rds.describe_db_clusters(DBClusterIdentifier=physical_id)["DBClusters"]
        pages = rds.get_paginator("describe_db_cluster_parameters").paginate(
            DBClusterParameterGroupName=cluster["DBClusterParameterGroup"]
        )
        return DeployedServer(cluster.get("DBClusterInstanceClass"), _value(pages, parameter))
    (instance,) = rds.describe_db_instances(DBInstanceIdentifier=physical_id)["DBInstances"]
    value = None
    for group in instance.get("DBParameterGroups", ())[:1]:
        name = group["DBParameterGroupName"]
        value = _value(rds.get_paginator("describe_db_parameters").paginate(DBParameterGroupName=name), parameter)
    return DeployedServer(instance["DBInstanceClass"], value)


def _value(pages: Any, name: str) -> str | None:
    """Give a parameter's value; None where it has the engine's own default."""
    for page in pages:
        for each in page["Parameters"]:
            if each["ParameterName"] == name:
                return each.get("ParameterValue")
    return None


def _said(error: Exception) -> str:
    return str(error).rstrip(".")
