"""Which hosts are servers of RDS or DocumentDB, whose certificates are signed by authorities of their own."""

from __future__ import annotations


def region_of_rds_host(host: str) -> str | None:
    """Return the Region that a host's name tells, "global" for a global database's writer; None for any other host.

    An RDS Proxy is another host: ACM signs its certificate. Source: Amazon RDS User Guide, "Connecting to a DB
    instance", endpoints; "Using TLS/SSL with RDS Proxy"; Amazon Aurora User Guide, "Connecting to Amazon Aurora Global
    Database". In China the service's name comes before the Region or after it.
    """
    labels = host.lower().removesuffix(".").removesuffix(".cn").split(".")
    if len(labels) != 6 or labels[4:] != ["amazonaws", "com"] or labels[1].startswith("proxy-"):
        return None
    for service, region in ((labels[3], labels[2]), (labels[2], labels[3])):
        if service in ("rds", "docdb"):
            return region
    return None
