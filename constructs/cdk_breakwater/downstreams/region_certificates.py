"""The certificate authorities that a function verifies a database of RDS or DocumentDB with: its Region's."""

from __future__ import annotations

import datetime
import re
from typing import TYPE_CHECKING

from aws_cdk import Annotations, Stack, Token

from ..errors import BreakwaterError
from ..limits.rds_certificates import UnknownRdsCertificates, expires, rds_certificates

if TYPE_CHECKING:
    from constructs import IConstruct

# An instance, a cluster or its readers. Not an RDS Proxy, whose certificate is of ACM. Source: Amazon RDS User Guide,
# "Connecting to a DB instance", endpoints; "Using TLS/SSL with RDS Proxy".
_HOST = re.compile(r"[^.]+\.(?!proxy-)[^.]+\.(?P<region>[a-z0-9-]+)\.(?:rds|docdb)\.amazonaws\.com(?:\.cn)?\.?")
_NOTICE = datetime.timedelta(days=365)


def region_certificates(database: IConstruct, host_region: str | None = None) -> str:
    """Return the roots of a database's Region as PEM; of all Regions where it is known at deployment only.

    Parameters
    ----------
    database
        Whose stack has the Region.
    host_region
        The Region, where the host's name tells.

    Raises
    ------
    BreakwaterError
        When they are not part of this library.
    """
    region: str | None = host_region or Stack.of(database).region
    region = None if Token.is_unresolved(region) else region
    try:
        last_day = expires(region)
    except UnknownRdsCertificates as unknown:
        raise BreakwaterError(
            database,
            unknown.problem,
            "Download the bundle of the Region (Amazon RDS User Guide, Using SSL/TLS), and pass "
            'database=Downstream.of(database, certificate_authority="path.pem").',
        ) from unknown
    if last_day < datetime.datetime.now(datetime.timezone.utc).date() + _NOTICE:
        Annotations.of(database).add_warning_v2(
            "cdk-breakwater:certificates-expire",
            f"The certificate authorities of RDS in the layer expire on {last_day}: upgrade cdk-breakwater.",
        )
    return rds_certificates(region)


def region_of_host(host: str) -> str | None:
    """Return the Region of a database of RDS or DocumentDB by its host name; None for any other host."""
    match = _HOST.fullmatch(host.lower())
    return None if match is None else match["region"]
