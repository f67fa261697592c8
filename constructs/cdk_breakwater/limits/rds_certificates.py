"""The certificate authorities of Amazon RDS: what a client verifies a server's certificate against.

Their file names Region, key and last day before each certificate, so that nothing has to parse X.509.
"""

from __future__ import annotations

import datetime
import re
from functools import cache
from importlib.resources import files
from typing import NamedTuple

_BLOCK = re.compile(
    r"^# (?P<region>[a-z0-9-]+) (?P<key>\w+) expires (?P<expires>[0-9-]{10})\n"
    r"-----BEGIN CERTIFICATE-----\n.+?\n-----END CERTIFICATE-----\n",
    re.MULTILINE | re.DOTALL,
)


class UnknownRdsCertificates(ValueError):  # noqa: N818 -- it names a state of knowledge
    """The library does not carry a Region's certificate authorities; the message says what to do.

    Attributes
    ----------
    problem, remedy
        The two sentences of the message.
    """

    def __init__(self, region: str) -> None:
        self.problem = f"The certificate authorities of RDS in {region} are not part of cdk-breakwater."
        self.remedy = (
            "Download the bundle of the Region (Amazon RDS User Guide, Using SSL/TLS) and pass its path as "
            "certificate_authority=…. Missing are ap-east-2, ap-southeast-5, ap-southeast-6, ap-southeast-7, "
            "ca-west-1, il-central-1, mx-central-1, GovCloud, China and Regions newer than those."
        )
        super().__init__(f"{self.problem} {self.remedy}")


class _Root(NamedTuple):
    expires: datetime.date
    pem: str


def rds_certificates(region: str | None) -> str:
    """Give the roots that sign the certificates of RDS instances, clusters and their readers.

    Parameters
    ----------
    region
        The Region; None, or a token, where it is known at deployment only: then all Regions' roots, which a client
        takes longer to load.

    Returns
    -------
    str
        PEM, with a line of text before each certificate.

    Raises
    ------
    UnknownRdsCertificates
        The Region is not one of the 27 that the file has.
    """
    return "".join(root.pem for root in _roots_of(region))


def has_rds_certificates(region: str) -> bool:
    """Tell whether the roots of a Region are part of this library."""
    return region in _roots()


def expires(region: str | None) -> datetime.date:
    """Tell the last day on which all roots of a Region (None: of every Region) are in force.

    Raises
    ------
    UnknownRdsCertificates
        The Region is not one of the 27 that the file has.
    """
    return min(root.expires for root in _roots_of(region))


def _roots_of(region: str | None) -> list[_Root]:
    roots = _roots()
    if region is None or "${Token[" in region:
        return [root for of_region in roots.values() for root in of_region]
    if region not in roots:
        raise UnknownRdsCertificates(region)
    return roots[region]


@cache
def _roots() -> dict[str, list[_Root]]:
    text = (files("cdk_breakwater.limits") / "data" / "rds-ca-bundle-g1.pem").read_text(encoding="ascii")
    roots: dict[str, list[_Root]] = {}
    for block in _BLOCK.finditer(text):
        root = _Root(datetime.date.fromisoformat(block["expires"]), block[0])
        roots.setdefault(block["region"], []).append(root)
    return roots
