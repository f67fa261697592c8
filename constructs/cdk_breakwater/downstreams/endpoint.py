"""Any endpoint as a downstream, as its user describes it."""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from typing import TYPE_CHECKING, Any

from aws_cdk import Annotations, Stack, Token

from breakwater_runtime._rds_host import region_of_rds_host

from .._cdk.arguments import FLAG, PORT, SECRET, SECURITY_GROUP, TEXT, instance_of
from .._cdk.pending_lookups import is_pending
from .._cdk.whole_numbers import required_number
from ..errors import BreakwaterError
from ..limits.engines import DatabaseEngine
from ..limits.max_connections import MaxConnections, UnknownMaxConnections
from ..limits.rds_certificates import has_rds_certificates
from ..limits.service_limits import for_atlas_tier, for_engine
from .downstream import Downstream
from .region_certificates import certificates_of

if TYPE_CHECKING:
    from constructs import Construct, IConstruct


ENDPOINT_ARGUMENTS = {
    "host": TEXT,
    "engine": instance_of(DatabaseEngine, "one of DatabaseEngine, such as DatabaseEngine.MYSQL"),
    "atlas_tier": TEXT,
    "port": PORT,
    "secret": SECRET,
    "security_group": SECURITY_GROUP,
    "database_name": TEXT,
    "certificate_authority": TEXT,
    "pooler": FLAG,
}


_SIGNED_BY_ACM = (DatabaseEngine.REDIS, DatabaseEngine.VALKEY, DatabaseEngine.AURORA_DSQL)

# A seed list by DNS, as Atlas names its clusters: PyMongo asks for _mongodb._tcp.<host>.
_SEED_LIST = re.compile(r"mongodb\+srv://[A-Za-z0-9.-]+/?")


# PyMongo takes several, each with its port.
_SEVERAL = re.compile(r"[A-Za-z0-9_.:,\[\]-]+")
_NAME = re.compile(r"[A-Za-z0-9_.-]+")


def require_host(path: str, host: str, engine: DatabaseEngine) -> None:
    """Refuse what is no host name and no address, but for MongoDB's seed lists.

    Raises
    ------
    BreakwaterError
        With the value less what could be a password.
    """
    if Token.is_unresolved(host) or is_pending(host) or _NAME.fullmatch(host) or _is_ip_v6(host):
        return
    if engine is DatabaseEngine.MONGODB and (_SEED_LIST.fullmatch(host) or _SEVERAL.fullmatch(host)):
        return
    scheme, url, rest = host.rpartition("://")
    shown = f"the URL {scheme}://{rest.rpartition('@')[2]}" if url else repr(rest.rpartition("@")[2])
    remedy = "Give only the name: the port, the database and the login have their own parameters."
    if engine is DatabaseEngine.MONGODB:
        remedy = (
            'Give the name, or "mongodb+srv://cluster0.example.mongodb.net" without login, database and options: '
            "secret=… has the login, and breakwater.mongo(…) takes the options."
        )
    raise BreakwaterError(path, f"host is {shown}.", remedy)


def _is_ip_v6(host: str) -> bool:
    try:
        return bool(IPv6Address(host))
    except ValueError:
        return False


class EndpointDownstream(Downstream):
    """A server that is no construct of this app. Made with `Downstream.endpoint`."""

    def __init__(
        self, construct: Construct, max_connections: MaxConnections, *, pooler: bool = False, **options: Any
    ) -> None:
        super().__init__(construct, **options)
        self._max_connections = max_connections
        self.lends_by_transaction = pooler
        region = Stack.of(construct).region
        if self.tls_ca == "by-host" and not Token.is_unresolved(region) and not has_rds_certificates(region):
            Annotations.of(construct).add_info_v2(
                "cdk-breakwater:unknown-host",
                f"Its host is known only at deployment. If it is a database of RDS in {region}, its certificate "
                "authorities are not part of cdk-breakwater: pass certificate_authority=… with the bundle of the "
                "Region.",
            )
        if self.connectable is not None:
            from aws_cdk import aws_ec2 as ec2

            # A security group of its own knows no default port, and `allow_to_default_port` needs one.
            self.connectable = ec2.Connections(
                security_groups=[options["connectable"]], default_port=ec2.Port.tcp(self.port)
            )

    @property
    def tls_ca(self) -> str:
        """The bundled ones where a file was given or the host is one of RDS; by the host where that is a token."""
        if self._certificate_authority is not None or region_of_rds_host(self.host) is not None:
            return "bundled"
        could_be_of_rds = Token.is_unresolved(self.host) and self.engine not in _SIGNED_BY_ACM
        return "by-host" if could_be_of_rds and not self.lends_by_transaction else "system"

    def certificate_authority(self) -> str | None:
        """Return the file that was given, else the roots of a host of RDS: of all Regions where it tells none."""
        given = super().certificate_authority()
        if given is not None or self.tls_ca == "system":
            return given
        region = region_of_rds_host(self.host)
        return certificates_of(self.construct, None if region == "global" else region)

    @property
    def reserved_connections(self) -> int:
        """None of a pooler's own limit: what the server behind it keeps lies outside of it."""
        return 0 if self.lends_by_transaction else super().reserved_connections

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
