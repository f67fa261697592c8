"""The certificate authorities that a function verifies a database of RDS or DocumentDB with: its Region's."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from aws_cdk import Annotations, Stack, Token

from ..errors import BreakwaterError
from ..limits.rds_certificates import UnknownRdsCertificates, expires, rds_certificates

if TYPE_CHECKING:
    from constructs import IConstruct

_NOTICE = datetime.timedelta(days=365)


def region_certificates(database: IConstruct) -> str:
    """Return the roots of the Region of a database's stack as PEM; of all Regions where it is known at deployment only.

    Raises
    ------
    BreakwaterError
        When they are not part of this library.
    """
    region = Stack.of(database).region
    return certificates_of(database, None if Token.is_unresolved(region) else region)


def certificates_of(database: IConstruct, region: str | None) -> str:
    """Return the roots of a Region, or of all Regions, as PEM, and warn where they expire soon.

    Parameters
    ----------
    database
        Who an error or a warning is about.
    region
        The Region; None for all.

    Raises
    ------
    BreakwaterError
        When they are not part of this library.
    """
    try:
        last_day = expires(region)
    except UnknownRdsCertificates as unknown:
        raise BreakwaterError(
            database,
            unknown.problem,
            "Download the bundle of the Region (Amazon RDS User Guide, Using SSL/TLS), and pass "
            'database=Downstream.of(database, certificate_authority="path.pem"); Downstream.endpoint(…) takes it, too.',
        ) from unknown
    if last_day < datetime.datetime.now(datetime.timezone.utc).date() + _NOTICE:
        Annotations.of(database).add_warning_v2(
            "cdk-breakwater:certificates-expire",
            f"The certificate authorities of RDS in the layer expire on {last_day}: upgrade cdk-breakwater.",
        )
    return rds_certificates(region)
