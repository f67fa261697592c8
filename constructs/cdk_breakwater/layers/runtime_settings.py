"""The environment variables that constructs set and `breakwater_runtime` reads; a test holds the two sides together."""

from __future__ import annotations

ENGINE = "ENGINE"
HOST = "HOST"
PORT = "PORT"
DATABASE = "DATABASE"
SECRET_ARN = "SECRET_ARN"  # noqa: S105 -- the name of a variable that holds an ARN
AUTH = "AUTH"
USER = "USER"
MAX_CONNECTIONS = "MAX_CONNECTIONS"
UTILIZATION = "UTILIZATION"
TLS_CA = "TLS_CA"
PROXY = "PROXY"
FUNCTION_TIMEOUT = "FUNCTION_TIMEOUT"
METRICS = "METRICS"
VERSION = "VERSION"
RESOURCE_ARN = "RESOURCE_ARN"
RESULTS_TABLE = "RESULTS_TABLE"
RESULTS_BUCKET = "RESULTS_BUCKET"
RESULTS_SECONDS = "RESULTS_SECONDS"
ACQUIRE = "ACQUIRE"


def variable(setting: str, name: str | None = None) -> str:
    """Name the variable of one setting.

    Parameters
    ----------
    setting
        One of this module's constants.
    name
        The name of a function's further database; None for its only or first one.
    """
    return f"BREAKWATER_{name.upper()}_{setting}" if name else f"BREAKWATER_{setting}"
