"""What an hour of a database costs, to compare sizes with each other."""

from __future__ import annotations

from .engines import DatabaseEngine

HOURS_PER_MONTH = 730
"""As AWS's own calculator counts."""

# Dollars an hour on demand in us-east-1, one Availability Zone, the instance alone: without storage and I/O. Source:
# Amazon RDS Pricing and Amazon Aurora Pricing (Standard), 2026. Classes of Graviton, the cheapest of each size.
_T4G = {
    "db.t4g.micro": 0.016,
    "db.t4g.small": 0.032,
    "db.t4g.medium": 0.065,
    "db.t4g.large": 0.129,
    "db.t4g.xlarge": 0.258,
}
_AURORA = {
    "db.t4g.medium": 0.073,
    "db.r6g.large": 0.26,
    "db.r6g.xlarge": 0.52,
    "db.r6g.2xlarge": 1.04,
    "db.r6g.4xlarge": 2.08,
}
_HOURLY = {
    DatabaseEngine.MYSQL: _T4G,
    DatabaseEngine.MARIADB: _T4G,
    DatabaseEngine.POSTGRESQL: _T4G | {"db.r6g.large": 0.225, "db.r6g.xlarge": 0.45, "db.r6g.2xlarge": 0.899},
    DatabaseEngine.AURORA_MYSQL: _AURORA,
    DatabaseEngine.AURORA_POSTGRESQL: _AURORA,
}
ACU_HOURLY = 0.12
"""Of Aurora Serverless v2, for each ACU that is in use. Source: Amazon Aurora Pricing, Standard, us-east-1, 2026."""


def classes(engine: DatabaseEngine) -> dict[str, float]:
    """Give the classes whose price is known here, in dollars a month, the cheapest first."""
    hourly = sorted(_HOURLY.get(engine, {}).items(), key=lambda each: each[1])
    return {name: price * HOURS_PER_MONTH for name, price in hourly}
