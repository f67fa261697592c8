"""What Amazon RDS Proxy sets and allows.

Source: AWS CloudFormation, AWS::RDS::DBProxyTargetGroup ConnectionPoolConfigurationInfoFormat.
"""

from __future__ import annotations

from .engines import DatabaseEngine

DEFAULT_BORROW_SECONDS = 120
MAXIMUM_BORROW_SECONDS = 300
"""Of ConnectionBorrowTimeout. The API's own reference says 3600; 0 would be without a limit."""


def default_percent(engine: DatabaseEngine | None) -> int:
    """Return the MaxConnectionsPercent of a proxy that says none."""
    return 10 if engine is DatabaseEngine.SQL_SERVER else 100
